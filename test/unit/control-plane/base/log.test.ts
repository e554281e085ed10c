import t from 'tap';
import { openLog } from '../../../../src/control-plane/base/log.ts';

await t.test('a line of the log has the text that was logged, and nothing hidden', async (t) => {
  const written: string[] = [];
  const log = openLog('info', () => ({
    pieceBytes: 65_536,
    write(lines, done) {
      written.push(lines);
      setImmediate(done, undefined);
    },
    close: () => {},
  }));
  const reason = 'ok\n{"level":"info"}\u009b31m\u202e\u2028';
  log.info({ reason }, `said\u200b`);
  log.info({}, 'the next one');
  await log.settle();
  const lines = written.join('').trimEnd().split('\n');
  t.equal(lines.length, 2);
  t.match(lines[0], /^[ -~]+$/);
  t.match(JSON.parse(lines[0]!), { level: 'info', reason, msg: 'said\u200b' });
});
