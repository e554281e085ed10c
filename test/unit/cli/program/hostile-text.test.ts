// Every command that prints what is stored, against a server in whose answers each text is hostile: no
// text forges a line, steers the terminal or hides a part of itself, and JSON stays what it was.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import t, { type Test } from 'tap';
import type { z } from 'zod';
import { unreachable } from '../../../../src/base/assert.ts';
import { visibleLines } from '../../../../src/base/visible-text.ts';
import type { AnswerSchema } from '../../../../src/cli/client/answer.ts';
import { buildProgram } from '../../../../src/cli/program/commands.ts';
import { pathOf } from '../../../../src/cli/program/help.ts';
import { ROUTES } from '../../../../src/control-plane/admin/routes/routes.ts';
import { problemAnswer } from '../../../../src/api/process.ts';
import { fakeApi } from '../support/fake-api.ts';
import { fakeTerminal, turnout, type FakeTerminal } from '../support/terminal.ts';

const FORGED = 'FORGED by the text';
const HOSTILE = [
  `ok\n${FORGED}\r${FORGED}`,
  `\u2028${FORGED}\u0085${FORGED}\v${FORGED}`,
  '\u001b[2J\u001b]0;title\u0007\u009b31m\u001b[31mred',
  '\u202etxt\u2066x\u200b\u200f\ufeff\u061c\t\u{e0041} \ud83d',
].join('');

/** What `apply` reads. */
const APPLIED = 'services:\n  - name: shop\n    blue: { targets: ["http://a:1"] }\n';

/** What a live screen is drawn with. */
const SCREEN = /\u001B\[(?:\?\d+[hl]|[HJK]|2K)|\r\n?/g;

const COMMANDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'turnout status': [[]],
  'turnout history': [[]],
  'turnout active': [[], ['--color', 'blue']],
  'turnout deployments': [[]],
  'turnout freezes': [[]],
  'turnout scheduled': [[]],
  'turnout scheduled cancel': [['s-1']],
  'turnout audit': [[], ['--verify'], ['--head', `1:${'0'.repeat(64)}`]],
  'turnout drain': [[], ['--evict'], ['--wait']],
  'turnout ready': [[]],
  'turnout switch': [
    ['green', '--yes'],
    ['green', '--dry-run'],
    ['green', '--yes', '--wait'],
  ],
  'turnout rollback': [['--yes'], ['--dry-run']],
  'turnout deploy': [
    ['v1', '--targets', 'http://a:1', '--yes'],
    ['v1', '--targets', 'http://a:1', '--dry-run'],
    ['v1', '--targets', 'http://a:1', '--plan', 'canary-10-5m', '--wait', '--yes'],
    ['v1', '--targets', 'http://a:1', '--plan', 'canary-10-5m', '--dry-run'],
  ],
  'turnout rollout': [[], ['r-1']],
  'turnout rollout watch': [[], ['r-1']],
  'turnout rollout list': [[]],
  'turnout rollout approve': [[], ['r-1', '--gate', 'x']],
  'turnout rollout reject': [[]],
  'turnout rollout pause': [[]],
  'turnout rollout resume': [[]],
  'turnout rollout skip': [[]],
  'turnout rollout promote': [['--reason', 'x']],
  'turnout rollout abort': [[]],
  'turnout rollout point-of-no-return': [['on'], ['off', 'r-1']],
  'turnout rollout schema': [['10', '--reason', 'x']],
  'turnout scale': [['--targets', 'http://a:1']],
  'turnout apply': [['-f', '-', '--yes']],
  'turnout unlock': [[]],
  'turnout freeze': [['--reason', 'x']],
  'turnout unfreeze': [[]],
  'turnout hold': [[]],
  'turnout resume': [[]],
  'turnout maintenance': [['on'], ['off']],
  'turnout preview': [[], ['v1', '--revoke']],
  'turnout token create': [['x']],
  'turnout token list': [[]],
  'turnout token revoke': [['x']],
  'turnout reload': [[], ['--dry-run']],
  'turnout upgrade': [[]],
};

/** They print nothing that is stored; what `turnout events` reads is no document, and has a test of its own. */
const OTHERS = [
  'turnout events',
  'turnout run',
  'turnout demo',
  'turnout completion',
  'turnout help',
  'turnout rollout plan',
  'turnout config check',
];

await t.test('this test knows every command', async (t) => {
  const outcomes = { finish: () => {}, complain: () => {} };
  const program = buildProgram(fakeTerminal(), outcomes, []);
  const leaves = (command: typeof program): string[] => {
    const hasOwn = command.commands.length === 0 || command.registeredArguments.length > 0;
    return [...(hasOwn ? [pathOf(command)] : []), ...command.commands.flatMap(leaves)];
  };
  t.same(leaves(program).toSorted(), [...Object.keys(COMMANDS), ...OTHERS].toSorted());
});

/** Returns a document that fits `schema`, with the hostile text wherever any text may stand. */
function hostile(schema: z.core.$ZodType): unknown {
  const { def } = schema as AnswerSchema;
  switch (def.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(def.shape).map(([key, part]) => [key, hostile(part)]),
      );
    case 'record':
      return { [HOSTILE]: HOSTILE };
    case 'array':
      return [hostile(def.element)];
    case 'nullable':
    case 'optional':
      return hostile(def.innerType);
    case 'union':
      return hostile(def.options[0]!);
    case 'number':
      return 1;
    case 'boolean':
      return true;
    case 'string':
      return HOSTILE;
    case 'enum':
      return Object.values(def.entries)[0];
    case 'literal':
      return def.values[0];
    default:
      return unreachable(def);
  }
}

function answerTo(method: string, path: string): unknown {
  const row = ROUTES.find((route) => {
    const pattern = new RegExp(`^${route.path.replaceAll(/:\w+/g, '[^/]+')}$`);
    return route.method === method && pattern.test(path);
  });
  if (row?.answer.type !== 'application/json')
    throw new Error(`expected a route, got ${method} ${path}`);
  return hostile(row.answer.schema);
}

/** What of the output a terminal would take for something else than text and lines of ours. */
function faultsOf({ outs, errs, raws, draws }: FakeTerminal): string[] {
  const text = [...outs, ...errs, ...raws, ...draws].join('\n').replaceAll(SCREEN, '\n');
  const lines = text.split('\n').map((line) => line.trim());
  const faults = lines.filter((line) => line.startsWith(FORGED)).map(() => 'a forged line');
  if (visibleLines(text) !== text) faults.push(`hidden: ${visibleLines(text).slice(0, 200)}`);
  // Styles are ours where a terminal has any; this text brings red with it.
  if (text.includes('\u001b[31mred')) faults.push('a style of the text');
  return faults;
}

for (const [name, variants] of Object.entries(COMMANDS)) {
  for (const more of variants) {
    const args = [...name.split(' ').slice(1), ...more];
    await t.test(args.join(' '), async (t) => {
      const answered = await fakeApi(t, ({ method, path }) => {
        const body = answerTo(method, path);
        const asked = answered.asked.filter((one) => one.path === '/v1/drain').length;
        // A wait ends with the second look.
        const isOver = path === '/v1/drain' && asked % 2 === 0;
        return { status: 200, body: isOver ? { ...Object(body), draining: [] } : body };
      });
      await walk(t, args, answered.admin);
      const refused = await fakeApi(t, () => ({ status: 409, body: hostile(problemAnswer) }), {
        dryRun: () => ({ status: 409, body: hostile(problemAnswer) }),
      });
      await walk(t, args, refused.admin);
    });
  }
}

async function walk(t: Test, args: readonly string[], admin: string): Promise<void> {
  const scenes = [
    {},
    { window: { columns: 60, rows: 30 }, hasColors: true, isLive: true, answers: ['yes', 'green'] },
  ];
  for (const scene of scenes) {
    const terminal = fakeTerminal({ ...scene, input: APPLIED });
    await turnout([...args, '--admin', admin], terminal);
    t.same(faultsOf(terminal), []);
    t.ok(terminal.outs.length + terminal.errs.length > 0, 'something is said');
  }
  const json = fakeTerminal({ input: APPLIED });
  await turnout([...args, '--json', '--admin', admin], json);
  t.equal(json.outs.length, 1);
  t.equal(visibleLines(json.outs[0]!), json.outs[0], 'JSON has nothing hidden');
  t.ok(JSON.parse(json.outs[0]!));
}
