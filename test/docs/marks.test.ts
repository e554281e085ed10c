// What the marks in a document mean: see CONTRIBUTING.md.

import t from 'tap';
import { missingIn, walksIn } from '../support/document-walk.ts';

const FENCE = '```';

function commandsOf(...lines: string[]): ReturnType<typeof walksIn> {
  return walksIn(lines.join('\n'));
}

await t.test('commands without a walk above them are a fault, unless they say why', async (t) => {
  const block = [`${FENCE}sh`, 'true', FENCE];
  t.strictSame(commandsOf(...block).faults, ['line 1: no "walk" mark above these commands']);
  const excused = commandsOf('<!-- not run: needs a cluster -->', '', ...block);
  t.strictSame(excused.faults, []);
  t.strictSame(excused.notRun, [{ line: 3, reason: 'needs a cluster' }]);
});

await t.test('a mark counts for the next block only', async (t) => {
  const { walks } = commandsOf(
    '<!-- walk: shop -->',
    '<!-- exit: 2 -->',
    `${FENCE}sh`,
    'first',
    FENCE,
    `${FENCE}sh`,
    'second',
    FENCE,
  );
  const ends = walks[0]!.steps.map((step) => (step.kind === 'commands' ? step.exit : undefined));
  t.strictSame(ends, [2, 0]);
});

await t.test('a text block right below commands is what they print', async (t) => {
  const block = [`${FENCE}sh`, 'echo', FENCE, '', `${FENCE}text`, 'a … c', '…', 'd', FENCE];
  const [step] = commandsOf('<!-- walk: empty -->', ...block).walks[0]!.steps;
  t.match(step, { kind: 'commands', prints: ['a … c', 'd'] });
  const between = [...block.slice(0, 3), 'A sentence.', ...block.slice(3)];
  const [other] = commandsOf('<!-- walk: empty -->', ...between).walks[0]!.steps;
  t.match(other, { kind: 'commands', prints: [] });
});

await t.test('lines must come in their order; others may stand between', async (t) => {
  t.equal(missingIn('a b c\nx\nd\n', ['a … c', 'd']), undefined);
  t.equal(missingIn('d\na b c\n', ['a … c', 'd']), 'd');
  t.equal(missingIn('a+c\n', ['a…c']), undefined);
  t.equal(missingIn('aac\n', ['a.c']), 'a.c', 'a dot is a dot');
});
