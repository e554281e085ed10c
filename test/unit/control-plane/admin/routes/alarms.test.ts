// What the status and a check say is wrong: certificates, orders, outages, the worst first.

import t from 'tap';
import { ask, openAdmin } from '../../support/admin.ts';
import { change, DOWN, to } from '../../support/board.ts';

await t.test('certificates that end soon or are not taken over are told', async (t) => {
  const { address, mood } = await openAdmin(t);
  const about = { beginsAtMs: 0, endsAtMs: Date.now() + 90 * 86_400_000, problem: '' };
  const good = { name: 'a.test', names: ['a.test', 'b.test'], source: '/a.pem', ...about };
  mood.certificates = [good];
  t.match((await ask(address, '/v1/check')).json, { severity: 'ok' });
  const soon = { ...good, source: 'acme', endsAtMs: Date.now() + 9.4 * 86_400_000 };
  const refused = { ...good, source: '/b.pem', problem: '/b.pem is empty' };
  mood.certificates = [good, soon, refused];
  const { json } = await ask(address, '/v1/status');
  t.match(json, {
    alarms: [
      { severity: 'warning', text: 'the certificate of a.test (acme) ends in 9 d: renew it' },
      { text: '/b.pem has changed, but what was in use stays: /b.pem is empty' },
    ],
    certificates: [
      { names: ['a.test', 'b.test'], source: '/a.pem', endsAt: /^\d{4}-/, problem: null },
      { source: 'acme' },
      { source: '/b.pem', problem: '/b.pem is empty' },
    ],
  });
  mood.certificates = [{ ...good, endsAtMs: Date.now() - 1 }];
  t.match((await ask(address, '/v1/check')).json, { severity: 'critical' });
});

await t.test('certificates that ACME does not obtain are told', async (t) => {
  const { address, mood } = await openAdmin(t);
  const nextTryMs = Date.now() + 9.4 * 60_000;
  const fine = { domain: 'a.test', notAfterMs: nextTryMs, isOrdering: false, nextTryMs };
  const well = { ...fine, failures: 0, problem: '', advice: '' };
  const unlucky = { ...fine, failures: 1, problem: 'no answer in time', advice: '' };
  mood.acme = [well, unlucky];
  t.match((await ask(address, '/v1/check')).json, { severity: 'ok' });
  const begun = { ...well, domain: 'b.test', notAfterMs: undefined, isOrdering: true };
  mood.acme = [begun];
  t.match((await ask(address, '/v1/check')).json, {
    severity: 'warning',
    alarms: [{ text: 'there is no certificate for b.test yet; it is being ordered' }],
  });
  const wrong = { failures: 1, problem: 'no such name', advice: 'look at its records' };
  const refused = { ...begun, isOrdering: false, ...wrong };
  mood.acme = [{ ...unlucky, failures: 3 }, refused];
  t.match((await ask(address, '/v1/status')).json, {
    alarms: [
      {
        severity: 'critical',
        text: 'there is no certificate for b.test yet: no such name; it is ordered in 9 min; look at its records',
      },
      {
        severity: 'warning',
        text: 'the certificate of a.test is not renewed: no answer in time; it is ordered in 9 m',
      },
    ],
    acme: [
      { domain: 'a.test', endsAt: /^\d{4}-/, failures: 3, ordering: false, advice: null },
      {
        domain: 'b.test',
        endsAt: null,
        nextTryAt: /^\d{4}-/,
        problem: 'no such name',
        advice: /records/,
      },
    ],
  });
});

await t.test('a check and the status say what is wrong, the worst first', async (t) => {
  const { address, ail, mood, switchboard } = await openAdmin(t);
  const check = async () => (await ask(address, '/v1/check')).json;
  t.strictSame(await check(), { severity: 'ok', services: 1, alarms: [] });
  ail(3001, DOWN);
  const outage = {
    severity: 'critical',
    service: 'default',
    text: /^blue is active and DOWN for \d s \(http:\/\/127\.0\.0\.1:3001 \(connection refused\)\); green is up$/,
    command: 'turnout switch green',
  };
  t.match(await check(), { severity: 'critical', services: 1, alarms: [outage] });
  t.match((await ask(address, '/v1/status')).json, { alarms: [outage] });
  const ready = { status: 200, json: { status: 'ok', warning: /no target answers: 1 service/ } };
  t.match(await ask(address, '/readyz'), ready, 'a proxy without targets stays in rotation');
  await switchboard.maintain(change(), { message: '', retryAfterSeconds: 60 });
  t.match(await check(), { severity: 'warning' }, 'it was announced');
  await switchboard.maintain(change(), undefined);
  await switchboard.switch(to('green'));
  ail(3003, DOWN);
  const partly = { severity: 'warning', text: /^green is active and 1 target of 2 down: http/ };
  t.match(await check(), { severity: 'warning', alarms: [partly] });
  t.match(await ask(address, '/v1/check?service=nope'), { status: 404 });
  mood.isReady = false;
  t.match(await ask(address, '/readyz'), { status: 503 });
});
