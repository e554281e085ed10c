// Many clients log in at a target that logs in connections, through two workers, while the operator
// switches: no client is ever answered as another one.

import t, { type Test } from 'tap';
import { LoginClient, loginOrigin } from '../support/login-origin.ts';
import { openOrigin } from '../support/origin.ts';
import { Random } from '../support/random.ts';
import { Operator } from '../support/shop-operator.ts';
import { startTurnout } from '../e2e/turnout-process.ts';

const CLIENTS = 50;
const ROUNDS = 12;

async function target(t: Test, name: string): Promise<string> {
  const login = loginOrigin(name);
  const origin = await openOrigin(login);
  t.teardown(() => origin.close());
  return `http://127.0.0.1:${origin.port}`;
}

await t.test('fifty clients that log in at once are each who they are', async (t) => {
  const [blue, green] = [await target(t, 'blue'), await target(t, 'green')];
  const sides = ['--blue', blue, '--green', green, '--health-kind', 'tcp'];
  const running = await startTurnout(t, [...sides, '--workers', '2']);
  await Promise.all(
    [blue, green].map((url) => running.line((line) => line.includes(`${url} is up`))),
  );
  const port = Number(running.proxy.split(':')[1]);
  const operator = new Operator(running.admin);
  const seed = Number(process.env['TURNOUT_TEST_SEED'] ?? Date.now() % 1_000_000);
  t.comment(`TURNOUT_TEST_SEED=${seed}`);
  const random = new Random(seed);
  const wrong: string[] = [];
  const run = async (user: string): Promise<void> => {
    const own = new RegExp(`^200 hello ${user} of (?:blue|green)$`);
    let client = await LoginClient.open(port, user);
    for (let round = 0; round < ROUNDS; round++) {
      if (client.isLast || random.fraction() < 0.15) {
        client.close();
        client = await LoginClient.open(port, user);
      }
      const logsIn = random.fraction() < 0.6;
      const answer = logsIn ? await client.login() : await client.ask();
      // A switch may end a login that has been there for a while, not one that goes on.
      const isStranger = !logsIn && answer === '401';
      if (!own.test(answer) && !isStranger) {
        wrong.push(`${user}, ${logsIn ? 'login' : 'request'}: ${answer}`);
      }
    }
    client.close();
  };
  const clients = Array.from({ length: CLIENTS }, (_, index) => run(`user${index}`));
  const all = Promise.all(clients);
  for (const color of ['green', 'blue', 'green'] as const) await operator.switch(color);
  await all;
  t.strictSame(wrong, []);
});
