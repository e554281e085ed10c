// From a fresh state directory to an admin API that others reach: the first token, its use, its end;
// and who did what.

import { chownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { openColoredApp } from '../support/colored-app.ts';
import { startTurnout, temporaryDirectory, turnout, type Running } from './turnout-process.ts';

const EVERYWHERE = ['--admin', '0.0.0.0:0'];

async function targets(t: Test): Promise<string[]> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  return ['--blue', blue.url, '--green', green.url, '--health-kind', 'none'];
}

/** Where a client reaches an admin API that listens everywhere. */
function adminOf({ admin }: Running): string[] {
  return ['--admin', `127.0.0.1:${admin.split(':').at(-1)}`];
}

await t.test(
  'where others reach it, the admin API needs a token first, and says how',
  async (t) => {
    const state = temporaryDirectory(t);
    const args = [...(await targets(t)), ...EVERYWHERE, '--state', state];
    const refused = await turnout(['run', '--listen', '127.0.0.1:0', ...args]);
    t.equal(refused.code, 1);
    t.match(
      refused.err,
      /shall listen on 0\.0\.0\.0:0, where others reach it, and there is no token yet/,
    );
    t.match(refused.err, `turnout token create NAME --role admin --state ${state}`);

    const made = await turnout(['token', 'create', 'ops', '--role', 'admin', '--state', state]);
    t.equal(made.code, 0, made.err);
    t.match(made.out, /^turnout_[0-9a-v]{12}_[\w-]{43}$/, 'stdout has the token and nothing else');
    t.match(
      made.err,
      /token ops \(\w{12}\), role admin.*\n.*all services, until it is revoked\nkeep it/,
    );
    const ops = { TURNOUT_TOKEN: made.out };

    const running = await startTurnout(t, args);
    t.ok(await running.line((line) => line.includes('tokens travel in the clear')), 'it warns');
    const to = adminOf(running);
    const without = await turnout(['status', ...to]);
    t.strictSame([without.code, without.out], [2, '']);
    t.match(without.err, /Credentials are needed.*\ngive a token/s);
    t.equal((await turnout(['status', ...to], ops)).code, 0);

    const limited = ['token', 'create', 'watch', '--role', 'read', '--life', '1h', '--json', ...to];
    const read = JSON.parse((await turnout(limited, ops)).out) as { token: string; id: string };
    const watch = { TURNOUT_TOKEN: read.token };
    t.equal((await turnout(['status', ...to], watch)).code, 0);
    const denied = await turnout(['switch', 'green', '--yes', ...to], watch);
    t.equal(denied.code, 2);
    t.match(denied.err, /do not allow this: it needs the role switch; watch has read/);

    const list = await turnout(['token', 'list', ...to], ops);
    t.match(
      list.out,
      /ID +NAME +ROLE .*\n\w{12} +ops +admin +all .* good\n.* watch +read .* good until 2/,
    );
    t.notMatch(list.out, made.out.slice(-43));
    const over = await turnout(['token', 'revoke', 'watch', '--reason', 'left', ...to], ops);
    t.match(over, { code: 0, out: /^token watch \(\w{12}\) opens nothing any more$/ });
    t.equal((await turnout(['status', ...to], watch)).code, 2);
    const unknown = await turnout(['token', 'revoke', 'watch', ...to], ops);
    t.equal(unknown.code, 2);
    t.match(unknown.err, /no token in use.*\n`turnout token list`/s);

    const audit = await turnout(['audit', '--verify', ...to], ops);
    t.equal(audit.code, 0);
    t.match(audit.out, /POST \/v1\/tokens\/revoke +- +done .* left/);
    t.match(audit.out, /watch +127\.0\.0\.1 +POST \/v1\/switch +default +refused: forbidden/);
    t.match(audit.out, /shell +- +token create +- +done/);
    t.match(
      audit.out,
      /\nthe log is whole: \d+ entries\nnote its head elsewhere, for --head next time: \d+:[0-9a-f]{64}$/,
    );
  },
);

await t.test('a directory in use is not touched from outside', async (t) => {
  const state = temporaryDirectory(t);
  await startTurnout(t, [...(await targets(t)), '--state', state]);
  const { code, err, out } = await turnout(['token', 'create', 'x', '--state', state]);
  t.strictSame([code, out], [2, '']);
  t.match(err, /is in use by process \d+ .*\nask the server that uses it: leave out --state/s);
});

await t.test('what is wrong with a token is told before it is made', async (t) => {
  const state = temporaryDirectory(t);
  const create = async (...args: string[]) =>
    turnout(['token', 'create', ...args, '--state', state]);
  t.match(await create('a b'), { code: 2, err: /name: expected letters/ });
  t.match(await create('x', '--life', 'soon'), { code: 64, err: /--life: / });
  t.match(await create('loopback'), { code: 2, err: /has a meaning in the audit log already/ });
  t.match(await create('x', '--role', 'root'), { code: 64 });
  t.match(await turnout(['token', 'create', '--state', state]), { code: 64 }, 'no name');
  t.match(await turnout(['token', 'list', '--state', state]), {
    code: 0,
    out: /there is no token/,
  });
});

const skip = process.getuid?.() === 0 ? false : 'needs root to make files for somebody else';

await t.test('what root makes for another user belongs to that one', { skip }, async (t) => {
  const state = temporaryDirectory(t);
  chownSync(state, 65_534, 65_534);
  t.equal((await turnout(['token', 'create', 'x', '--state', state])).code, 0);
  const owners = readdirSync(state).map((name) => statSync(join(state, name)).uid);
  t.ok(owners.length > 0 && owners.every((uid) => uid === 65_534));
});

await t.test('a head that was noted finds a log whose ends were cut', async (t) => {
  const state = temporaryDirectory(t);
  const args = [...(await targets(t)), '--state', state];
  const first = await startTurnout(t, args);
  for (const to of ['green', 'blue', 'green']) {
    await turnout(['switch', to, '--yes', '--admin', first.admin]);
  }
  const { code, out } = await turnout(['audit', '--verify', '--admin', first.admin]);
  t.equal(code, 0);
  const [, head] = /note its head elsewhere, for --head next time: (\d+:[0-9a-f]{64})$/m.exec(out)!;
  const whole = await turnout(['audit', '--head', head!, '--admin', first.admin]);
  t.match(whole, { code: 0, out: /the head that was noted is still part of it/ });
  first.process.kill('SIGTERM');
  await first.ended;
  const database = new DatabaseSync(join(state, 'turnout.db'));
  database.exec(
    `DELETE FROM audit WHERE seq > 2;
     UPDATE audit_ends SET head_seq = 2, head_hash = (SELECT hash FROM audit WHERE seq = 2)`,
  );
  database.close();
  const second = await startTurnout(t, args);
  t.match(await turnout(['audit', '--verify', '--admin', second.admin]), { code: 0 });
  const cut = await turnout(['audit', '--head', head!, '--admin', second.admin]);
  t.match(cut, { code: 1, out: /THE LOG IS BROKEN at entry \d+: the log ends at 3|not the entry/ });
});

await t.test('an audit log that somebody has changed is an exit code', async (t) => {
  const state = temporaryDirectory(t);
  const args = [...(await targets(t)), '--state', state];
  const first = await startTurnout(t, args);
  await turnout(['switch', 'green', '--yes', '--admin', first.admin]);
  first.process.kill('SIGTERM');
  await first.ended;
  const database = new DatabaseSync(join(state, 'turnout.db'));
  database.exec(`UPDATE audit SET entry = replace(entry, 'loopback', 'somebody')`);
  database.close();
  const second = await startTurnout(t, args);
  const plain = await turnout(['audit', '--admin', second.admin]);
  t.equal(plain.code, 0);
  const { code, out } = await turnout(['audit', '--verify', '--admin', second.admin]);
  t.equal(code, 1);
  t.match(out, /THE LOG IS BROKEN at entry 2: its hash does not fit/);
  const json = await turnout(['audit', '--verify', '--json', '--admin', second.admin]);
  t.equal(json.code, 1);
  t.match(JSON.parse(json.out), { chain: { state: 'broken', brokenAt: 2 } });
});
