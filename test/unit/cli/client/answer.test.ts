// Answers as another version, or another program, may give them: read by the schema as far as they
// fit, with nothing that a command could stumble over.

/* oxlint-disable no-control-regex -- a terminal is steered by them */

import * as fc from 'fast-check';
import t from 'tap';
import { auditAnswer } from '../../../../src/api/audit-answer.ts';
import { drainAnswer } from '../../../../src/api/draining.ts';
import { changeAnswer } from '../../../../src/api/shared-fields.ts';
import {
  liveAnswer,
  problemAnswer,
  reloadAnswer,
  upgradeAnswer,
} from '../../../../src/api/process.ts';
import { previewAnswer } from '../../../../src/api/releases.ts';
import { statusAnswer, type StatusAnswer } from '../../../../src/api/status-answer.ts';
import { gateAnswer } from '../../../../src/api/holding.ts';
import {
  freezeAnswer,
  historyAnswer,
  switchAnswer,
  switchAnyAnswer,
} from '../../../../src/api/switching.ts';
import { token, tokenAnswer, tokensAnswer } from '../../../../src/api/token-answers.ts';
import {
  documentOf,
  readLeniently,
  shown,
  targetText,
  type Lenient,
} from '../../../../src/cli/client/answer.ts';
import * as fake from '../support/fake-api.ts';

const ANSWERS = [
  auditAnswer,
  drainAnswer,
  changeAnswer,
  liveAnswer,
  problemAnswer,
  reloadAnswer,
  upgradeAnswer,
  previewAnswer,
  statusAnswer,
  freezeAnswer,
  historyAnswer,
  switchAnswer,
  switchAnyAnswer,
  gateAnswer,
  token,
  tokenAnswer,
  tokensAnswer,
];

function statusOf(document: unknown): Lenient<StatusAnswer> {
  return readLeniently(statusAnswer, document);
}

await t.test('an answer of this version is read as it is', async (t) => {
  const { version, services } = statusOf(fake.statusAnswer());
  const { active, since, blue } = services[0]!;
  t.equal(version, '1.2.3');
  t.equal(active, 'blue');
  t.equal(since.generation, 2);
  t.equal(blue.lastMinute.requestsPerSecond.length, 60);
  t.equal(blue.targets[0]!.health, 'up');
});

await t.test(
  'what a server of an earlier version does not tell is undefined, or empty',
  async (t) => {
    const { freeze, reload, state, services } = statusOf({ services: [{ name: 'shop' }] });
    t.strictSame([freeze, reload, state], [null, null, { dir: undefined, warning: undefined }]);
    const { active, blue, held, failover, switches } = services[0]!;
    t.strictSame([active, held, failover.downSince, switches], [undefined, null, undefined, []]);
    t.strictSame([blue.release, blue.targets, blue.lockedOut], [undefined, [], null]);
  },
);

await t.test('what a server of a later version tells besides is left out', async (t) => {
  const answer = readLeniently(changeAnswer, { service: 'shop', changed: true, cost: 3 });
  const unsaid = { generation: undefined, calledOff: undefined, dryRun: undefined };
  t.strictSame(answer, { ...unsaid, service: 'shop', changed: true });
});

await t.test('a word that is new is printed, and equals none that is known', async (t) => {
  const [first] = statusOf({ services: [{ blue: { health: 'wobbly' } }] }).services;
  t.equal(shown(first!.blue.health), 'wobbly');
});

await t.test('a value of a wrong kind is missing, alone or in a list', async (t) => {
  const evil = {
    version: {},
    ready: 1,
    generation: '5',
    services: { 0: {} },
    state: [],
    freeze: 7,
  };
  const { version, ready, generation, services, state, freeze } = statusOf(evil);
  t.strictSame([version, ready, generation, services], [undefined, undefined, undefined, []]);
  t.strictSame([state, freeze], [{ dir: undefined, warning: undefined }, null]);
  const rates = {
    blue: { lastMinute: { requestsPerSecond: ['x', 1, null], share: 'x', p50Ms: null } },
  };
  const { lastMinute } = statusOf({ services: [null, 1, rates] }).services[0]!.blue;
  t.strictSame(lastMinute.requestsPerSecond, [1]);
  t.strictSame([lastMinute.share, lastMinute.p50Ms], [undefined, null]);
});

await t.test('what every object has is no value of an answer', async (t) => {
  const document: unknown = JSON.parse('{"__proto__": {"service": "a"}}');
  t.equal(readLeniently(changeAnswer, document).service, undefined);
  t.equal(readLeniently(changeAnswer, []).service, undefined);
});

await t.test('text cannot steer a terminal, at any depth', async (t) => {
  const evil = 'a\u001b[2J\u0007\u009b31mb';
  const { services } = statusOf({ services: [{ draining: [{ color: evil, reasons: [evil] }] }] });
  const { color, reasons } = services[0]!.draining[0]!;
  const seen = String.raw`a\u{1b}[2J\u{7}\u{9b}31mb`;
  t.strictSame([color, reasons], [seen, [seen]]);
});

await t.test(
  'no JSON at all makes any answer throw, or lets a control character through',
  async () => {
    fc.assert(
      fc.property(fc.constantFrom(...ANSWERS), fc.jsonValue(), (schema, document) => {
        const text = JSON.stringify(readLeniently<unknown>(schema, document));
        return !/\\u00(?:0|1|7f)/.test(text);
      }),
      { numRuns: 2_000 },
    );
  },
);

await t.test('every answer is made of what is read here', async (t) => {
  for (const schema of ANSWERS) t.type(readLeniently<unknown>(schema, {}), 'object');
  // Lists are empty above; here each has an item.
  const list = [{}];
  for (const document of [
    { entries: list, chain: {} },
    { draining: list, ended: list },
    { differences: list, switches: list, tokens: list },
    { services: [{ blue: { targets: list, names: list, lockedOut: {} }, previous: {} }] },
  ]) {
    for (const schema of ANSWERS) readLeniently<unknown>(schema, document);
  }
});

await t.test('an answer that has two forms is read as the one that came', async (t) => {
  const one = { service: 'shop', from: 'blue', to: 'green', release: '', deployment: 2 };
  const all = { ...one, generation: 2, tookMs: 1, publishedAt: '', changed: true };
  t.match(readLeniently(switchAnyAnswer, all), { service: 'shop', to: 'green' });
  const several = { generation: 2, tookMs: 1, services: [one] };
  t.match(readLeniently(switchAnyAnswer, several), { services: [{ service: 'shop' }] });
  t.match(readLeniently(switchAnyAnswer, {}), { service: undefined });
});

await t.test('scripts get what came, whole or in part', async (t) => {
  const drain = { service: 'a', more: '\u0007' };
  const document = { draining: [drain], more: [1] };
  const answer = readLeniently(drainAnswer, document);
  t.equal(documentOf(answer), document);
  t.equal(documentOf(answer.draining[0]), drain);
  t.equal(documentOf(readLeniently(drainAnswer, null)), null);
  t.strictSame(documentOf({ code: 'made-here' }), { code: 'made-here' });
});

const TARGET = {
  url: 'http://a:80',
  address: null,
  health: undefined,
  reason: undefined,
  changedAt: undefined,
  ejected: null,
};

await t.test('what an answer lacks is a dash', async (t) => {
  t.strictSame([undefined, null, ''].map(shown), ['-', '-', '-']);
  t.strictSame([0, false, 'c'].map(shown), ['0', 'false', 'c']);
  t.equal(targetText({ ...TARGET, url: undefined, address: undefined }), '-');
  t.equal(targetText({ ...TARGET, address: '10.0.0.1:80' }), 'http://a:80 (10.0.0.1:80)');
});

await t.test(
  'a field that has no such name, or a word that is none, does not compile',
  async (t) => {
    const answer = readLeniently(switchAnswer, {});
    // @ts-expect-error -- there is no such field
    t.equal(answer.colour, undefined);
    // @ts-expect-error -- no color is called so
    t.equal(answer.from === 'mauve', false);
  },
);
