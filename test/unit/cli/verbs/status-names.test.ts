// What a person sees of targets that are names.

import t from 'tap';
import { statusText } from '../support/read.ts';
import { statusAnswer } from '../support/fake-api.ts';
import { fakeTerminal } from '../support/terminal.ts';

const URL = 'http://app.test:3000';
const AT = '2026-01-01T00:00:00.000Z';

function target(address: string | null, health: string): object {
  return { url: URL, address, health, reason: '', changedAt: AT };
}

function lookup(problem: string): object {
  return { url: URL, addresses: 2, answeredAt: AT, failures: 3, problem };
}

await t.test('each address of a name has its line, behind the name', (t) => {
  const targets = [target('10.0.0.1:3000', 'up'), target('10.0.0.2:3000', 'down')];
  const text = statusText(
    fakeTerminal(),
    statusAnswer({ blue: { health: 'partly', targets, names: [lookup('')] } }),
  );
  t.match(text, /http:\/\/app\.test:3000 \(10\.0\.0\.1:3000\) +up /);
  t.match(text, /http:\/\/app\.test:3000 \(10\.0\.0\.2:3000\) +down /);
  t.match(text, /1 of 2 up/);
  t.notMatch(text, /stay in use/);
  t.end();
});

await t.test('a name that cannot be looked up is told, with what stays in use', (t) => {
  const names = [lookup('app.test: the DNS server failed')];
  const text = statusText(fakeTerminal(), statusAnswer({ green: { names } }));
  t.match(
    text,
    /http:\/\/app\.test:3000: app\.test: the DNS server failed; its 2 known addresses stay in use/,
  );
  t.end();
});

await t.test('a target that is no name stands alone', (t) => {
  const text = statusText(
    fakeTerminal(),
    statusAnswer({ blue: { targets: [target(null, 'up')] } }),
  );
  t.match(text, /http:\/\/app\.test:3000 +up /);
  t.end();
});
