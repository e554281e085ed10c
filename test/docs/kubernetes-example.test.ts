// examples/kubernetes: every object fits the published schema of its kind and has no field that the
// kind has not, Turnout takes what it is told, and times and ports fit together.

import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { temporaryDirectory, turnout } from '../e2e/turnout-process.ts';
import { ROOT } from '../tidy/source-files.ts';

const HERE = join(ROOT, 'examples/kubernetes');

interface Manifest {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: { readonly spec: Pod };
    readonly ports?: readonly { readonly targetPort: string | number }[];
  };
}

interface Pod {
  readonly terminationGracePeriodSeconds?: number;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string }[];
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: string[] } } };
  readonly [probe: `${string}Probe`]: {
    readonly httpGet: { readonly path: string; readonly port: string };
  };
}

const MANIFESTS: readonly Manifest[] = globSync(join(HERE, '*.yaml'))
  .toSorted()
  .flatMap((path) =>
    parseAllDocuments(readFileSync(path, 'utf8'), { merge: true }).map((document) => ({
      ...(document.toJS() as Manifest),
      file: basename(path),
    })),
  );

const nameOf = ({ file, kind, metadata }: Manifest): string =>
  `${kind} ${metadata.name ?? ''} of ${file}`;

function objectOf(manifest: Manifest): object {
  return { ...manifest, file: undefined };
}

/** A line that the compiler refuses where the object has a field that its kind has not. */
function typed(manifest: Manifest, index: number): string {
  const type = `import('kubernetes-models/${manifest.apiVersion}').I${manifest.kind}`;
  return `export const object${index}: ${type} = ${JSON.stringify(objectOf(manifest))};\n`;
}

interface Model {
  validate(): void;
}

await t.test('every object fits the schema of its kind', async (t) => {
  t.ok(MANIFESTS.length >= 10, `${MANIFESTS.length} objects`);
  for (const manifest of MANIFESTS) {
    const { apiVersion, kind } = manifest;
    const module = (await import(`kubernetes-models/${apiVersion}`)) as Record<
      string,
      new (data: object) => Model
    >;
    const model = new module[kind]!(objectOf(manifest));
    t.doesNotThrow(() => model.validate(), nameOf(manifest));
  }
});

await t.test('no object has a field that its kind has not', async (t) => {
  const folder = temporaryDirectory(t);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const wrong = typed(MANIFESTS[0]!, 0).replace('"metadata"', '"metadada"');
  writeFileSync(join(folder, 'good.mts'), MANIFESTS.map(typed).join(''));
  writeFileSync(join(folder, 'wrong.mts'), wrong);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const check = (file: string) =>
    spawnSync(tsc, [...options, '--types', '', file], { cwd: folder, encoding: 'utf8' });
  const good = check('good.mts');
  t.equal(good.status, 0, good.stdout);
  t.match(check('wrong.mts').stdout, /error TS\d+: .*'"?metadada"?'/, 'one would be found');
});

const pods = MANIFESTS.flatMap((manifest) => {
  const spec = manifest.spec?.template?.spec;
  return spec === undefined ? [] : [{ manifest, spec }];
});
const containersOf = ({ initContainers = [], containers }: Pod): readonly Container[] => [
  ...initContainers,
  ...containers,
];
const isTurnout = ({ image }: Container): boolean => image.includes('/turnout:');

const machine = { platform: 'linux', cpus: 2, descriptors: Infinity } as const;

/** What a container that runs Turnout is told. */
function configOf(container: Container, folder: string): Config {
  const config = MANIFESTS.find(({ kind }) => kind === 'ConfigMap')!.data!['turnout.yaml']!;
  const file = join(folder, 'turnout.yaml');
  writeFileSync(file, config);
  const environment = Object.fromEntries(
    (container.env ?? []).map(({ name, value = '' }) => [name, value]),
  );
  const isByFile = container.args?.includes('/etc/turnout/turnout.yaml') ?? false;
  const loaded = loadConfig({ file: isByFile ? file : '', environment, flags: {}, machine });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  if (loaded.warnings.length > 0) throw new Error(loaded.warnings.join('\n'));
  return loaded.config;
}

await t.test('Turnout takes what it is told, and has the time to stop in order', async (t) => {
  const folder = temporaryDirectory(t);
  for (const { manifest, spec } of pods) {
    for (const container of containersOf(spec).filter(isTurnout)) {
      if (manifest.kind === 'Job') continue;
      const { stop, metrics } = configOf(container, folder);
      const [, seconds = '0'] = container.lifecycle?.preStop.exec.command ?? [];
      const neededMs = Number(seconds) * 1_000 + stop.readyDelayMs + stop.deadlineMs;
      t.ok(spec.terminationGracePeriodSeconds! * 1_000 > neededMs, nameOf(manifest));
      t.ok(metrics.listen !== undefined, 'probes and scrapes reach a listener without powers');
    }
  }
});

await t.test('probes ask what the listener of metrics answers', async (t) => {
  for (const { manifest, spec } of pods.filter(({ manifest }) => manifest.kind !== 'Job')) {
    for (const container of containersOf(spec).filter(isTurnout)) {
      const probes = { startup: '/readyz', readiness: '/readyz', liveness: '/livez' };
      for (const [name, path] of Object.entries(probes)) {
        t.match(container[`${name}Probe`]?.httpGet, { path, port: 'metrics' }, nameOf(manifest));
      }
    }
  }
});

await t.test('ports that are named are there, and the image is of this version', async (t) => {
  const named = new Set(
    pods
      .flatMap(({ spec }) => containersOf(spec).flatMap(({ ports = [] }) => ports))
      .map(({ name }) => name),
  );
  for (const { spec } of MANIFESTS) {
    for (const { targetPort } of spec?.ports ?? []) {
      if (typeof targetPort === 'string') t.ok(named.has(targetPort), targetPort);
    }
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly version: string;
  };
  for (const { image } of pods.flatMap(({ spec }) => containersOf(spec)).filter(isTurnout)) {
    t.match(image, new RegExp(`:${version.replaceAll('.', '\\.')}$`));
  }
});

await t.test('the job calls a command that there is', async (t) => {
  const { spec } = pods.find(({ manifest }) => manifest.kind === 'Job')!;
  const [command = '', ...rest] = spec.containers[0]!.args!;
  const { out } = await turnout([command, '--help']);
  const flags = rest.filter((word) => word.startsWith('--'));
  t.ok(flags.length > 1);
  for (const flag of flags) t.match(out, flag);
});
