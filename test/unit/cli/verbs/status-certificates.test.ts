// What `turnout status` shows of certificates, and of what becomes of orders.

import t from 'tap';
import { widthOf } from '../../../../src/cli/terminal/width.ts';
import { ago, statusAnswer } from '../support/fake-api.ts';
import { statusText } from '../support/read.ts';
import { fakeTerminal } from '../support/terminal.ts';

const DAY_MS = 86_400_000;
const inDays = (days: number): string => ago(-days * DAY_MS);

const CERTIFICATES = [
  { name: 'a.test', names: ['a.test', '*.a.test'], source: '/etc/a.pem', endsAt: inDays(80) },
  { name: 'b.test', names: ['b.test'], source: 'acme', endsAt: inDays(60) },
  { name: 'Our own authority', names: [], source: '/etc/ca.pem', endsAt: inDays(300) },
  { name: 'old.test', names: [], source: '/etc/old.pem', endsAt: ago(3 * DAY_MS) },
].map((one) => ({ ...one, problem: one.name === 'old.test' ? '/etc/old.pem is empty' : null }));

const WELL = { ordering: false, failures: 0, problem: null, advice: null };
const ACME = [
  { ...WELL, domain: 'b.test', endsAt: inDays(60), nextTryAt: inDays(30) },
  { ...WELL, domain: 'new.test', endsAt: null, nextTryAt: ago(0), ordering: true },
  {
    ...WELL,
    domain: 'no.test',
    endsAt: null,
    nextTryAt: ago(-240_000),
    failures: 2,
    problem: 'no such name',
    advice: 'look at its records',
  },
];
const ANSWER = { ...statusAnswer(), certificates: CERTIFICATES, acme: ACME, alarms: [] };

await t.test('for which names, from where, until when, and what is next', (t) => {
  const text = statusText(fakeTerminal(), ANSWER);
  const lines = text.split('\n').map((line) => line.replaceAll(/ {2,}/g, '  ').trimEnd());
  const first = lines.indexOf('  CERTIFICATE FOR  FROM  ENDS  NEXT');
  t.same(lines.slice(first + 1, first + 11), [
    '  new.test  acme  none yet  is being ordered',
    '  no.test  acme  none yet  tried again in 4 min',
    '  2 failed: no such name; look at its records',
    '  old.test  /etc/old.pem  ended 3 d ago',
    '  what lies there now is not used: /etc/old.pem is empty',
    '  b.test  acme  in 60 d  renewed in 30 d',
    '  a.test, *.a.test  /etc/a.pem  in 80 d',
    '  Our own authority  /etc/ca.pem  in 300 d',
    '',
    lines[first + 10],
  ]);
  t.end();
});

await t.test('what an alarm has said is not said again', (t) => {
  const alarm = { severity: 'warning', service: null, text: 'no x: no such name', command: null };
  const text = statusText(fakeTerminal(), { ...ANSWER, alarms: [alarm] });
  t.equal(text.split('no such name').length, 2);
  t.end();
});

await t.test('no line is wider than the window, and no fact is lost', (t) => {
  for (let columns = 24; columns <= 100; columns++) {
    const text = statusText(fakeTerminal({ window: { columns, rows: 50 } }), ANSWER);
    t.notOk(
      text.split('\n').some((line) => widthOf(line) > columns),
      `${columns} columns`,
    );
    const joined = text.replaceAll(/\s/g, '');
    for (const fact of ['b.testacmein60d', 'renewedin30d', '2failed:nosuchname']) {
      t.ok(joined.includes(fact), `${columns} columns have ${fact}`);
    }
  }
  t.end();
});

await t.test('many are cut to those that end first; a server of an earlier version', (t) => {
  const many = Array.from({ length: 200 }, (_, index) => {
    const name = `h${index}.test`;
    return { name, source: '/a.pem', endsAt: inDays(index + 1), problem: null };
  });
  const text = statusText(fakeTerminal(), { ...statusAnswer(), certificates: many });
  t.match(text, /h0\.test .*in 24 h/);
  t.match(text, /h11\.test/);
  t.notMatch(text, /h12\.test/);
  t.match(text, /and 188 more that end later; --json has them/);
  t.notMatch(statusText(fakeTerminal(), statusAnswer()), /CERTIFICATE/);
  t.end();
});
