// Level debug says what goes on, and never so much that the log is all that goes on.

import t from 'tap';
import { DebugBound } from '../../../../src/control-plane/base/debug-bound.ts';
import { openLog } from '../../../../src/control-plane/base/log.ts';
import { board, to } from '../support/board.ts';

function opened(level: 'info' | 'debug') {
  let text = '';
  const log = openLog(level, () => ({
    pieceBytes: 65_536,
    write(part, done) {
      text += part;
      setImmediate(done, undefined);
    },
    close: () => {},
  }));
  const lines = (): Record<string, unknown>[] =>
    text
      .trim()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines };
}

await t.test('a storm of one kind is bounded, and what was left out is counted', (t) => {
  const bound = new DebugBound();
  let nowMs = 0;
  let written = 0;
  for (; nowMs < 10_000; nowMs++) {
    for (let probe = 0; probe < 10; probe++) {
      if (bound.take('probe', nowMs) !== undefined) written++;
    }
  }
  t.ok(written >= 200 && written <= 50 + 20 * 10, `${written} of 100,000 in 10 s`);
  t.equal(bound.take('table', nowMs), 0, 'another kind has a share of its own');
  t.ok(bound.take('probe', nowMs + 1_000)! > 100, 'the next line says how many are missing');
  t.equal(bound.take('probe', nowMs + 1_000), 0);
  t.end();
});

await t.test('the level decides, also once it is set anew', async (t) => {
  const { log, lines } = opened('info');
  log.debug({ kind: 'probe', target: 'a' }, 'one');
  log.level = 'debug';
  log.debug({ kind: 'probe', target: 'a' }, 'two');
  log.info({}, 'three');
  log.level = 'error';
  log.debug({ kind: 'probe', target: 'a' }, 'four');
  log.warn({}, 'five');
  await log.settle();
  t.match(lines(), [
    { level: 'debug', kind: 'probe', target: 'a', msg: 'two' },
    { level: 'info', msg: 'three' },
  ]);
  t.equal(lines().length, 2);
  t.equal(log.level, 'error');
});

await t.test('a switch tells of its turn and its table', async (t) => {
  const { switchboard, log } = board();
  await switchboard.switch(to('green'));
  t.match(
    log.debugs.map(({ message }) => message),
    [
      'the turn of: switch by 127.0.0.1, services: default',
      /^table 2 is published \(generation 2, \d+ ms\)$/,
    ],
  );
});
