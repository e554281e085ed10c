// What comes before every release and session: preview, maintenance, hold.

import t from 'tap';
import { previewToken } from '../../../../src/contract/preview-token.ts';
import type { Hold, Service } from '../../../../src/contract/table.ts';
import {
  clientOf,
  Deciding,
  DEPLOYMENT,
  lockedOut,
  NOW_S,
  shop,
  SIGNERS,
  tokenOf,
  type Asking,
  type Outcome,
  type Place,
} from '../../../support/deciding.ts';

const ON = { affinity: { mode: 'drain' }, skew: { isOn: true } } as const;
const SESSION = `Cookie: turnout=${tokenOf(DEPLOYMENT.draining)}`;
const HTTPS = 'X-Forwarded-Proto: https';
const HTML = 'Accept: text/html,*/*;q=0.8';

const HOLD: Hold = { methods: 'all', untilMs: (NOW_S + 30) * 1_000, closesLongLived: false };
const MAINTENANCE = { message: '', retryAfterSeconds: 120 };

const IDLE = { service: 'shop', deployment: DEPLOYMENT.idle, previewSeries: 0 } as const;
const TOKEN = previewToken(SIGNERS.previews, IDLE, NOW_S + 600);

/** Returns a token without an end. */
function tokenFor(place: Place): string {
  return previewToken(SIGNERS.previews, { ...IDLE, deployment: DEPLOYMENT[place] }, 0);
}

function preview(place: Place): string {
  return `X-Turnout-Preview: ${tokenFor(place)}`;
}

function ask(
  service: Partial<Service>,
  fields: readonly string[] = [],
  asking: Asking = {},
): Outcome {
  return new Deciding(ON, service).ask(fields, asking);
}

await t.test('a preview token opens the idle deployment, by field or cookie', async (t) => {
  const ways: readonly (readonly [fields: readonly string[], isProxy?: boolean])[] = [
    [[`X-Turnout-Preview: ${TOKEN}`]],
    [[`x-turnout-preview:${TOKEN}`, SESSION]],
    [[`Cookie: a=1; turnout-~preview=${TOKEN}`]],
    [[HTTPS, `Cookie: __Host-turnout-~preview=${TOKEN}`], true],
    [[HTTPS, `X-Turnout-Preview: ${TOKEN}`], true],
  ];
  for (const [fields, isProxy = false] of ways) {
    const outcome = ask({}, fields, { client: clientOf({ isProxy }) });
    t.equal(outcome.to, 'idle', fields.join(' · '));
    t.equal(outcome.reason, 'preview');
    t.equal(outcome.hasSession, false);
    t.equal(outcome.gives, undefined, 'a preview is no session');
    t.notMatch(outcome.sent, TOKEN, 'the target does not see it');
  }
});

await t.test('a preview cookie counts only under the name of its scheme', async (t) => {
  t.equal(ask({}, [`Cookie: __Host-turnout-~preview=${TOKEN}`]).to, 'active');
  const client = clientOf({ isProxy: true });
  t.equal(ask({}, [HTTPS, `Cookie: turnout-~preview=${TOKEN}`], { client }).to, 'active');
});

await t.test('a preview token of something else opens nothing', async (t) => {
  const others = [
    previewToken(SIGNERS.previews, { ...IDLE, service: 'blog' }, NOW_S + 600),
    previewToken(SIGNERS.previews, { ...IDLE, deployment: DEPLOYMENT.past }, NOW_S + 600),
    previewToken(SIGNERS.previews, { ...IDLE, deployment: DEPLOYMENT.future }, NOW_S + 600),
    previewToken(SIGNERS.previews, { ...IDLE, previewSeries: 1 }, NOW_S + 600),
    // The claim of one with the signature of another.
    TOKEN.slice(0, -22) + previewToken(SIGNERS.previews, IDLE, 0).slice(-22),
    previewToken(SIGNERS.previews, IDLE, NOW_S),
    previewToken(SIGNERS.unknown, IDLE, NOW_S + 600),
    previewToken(SIGNERS.unknown, { ...IDLE, deployment: DEPLOYMENT.active }, 0),
    // The keys of sessions come and go.
    previewToken(SIGNERS.own, IDLE, NOW_S + 600),
    previewToken(SIGNERS.previous, IDLE, 0),
    tokenOf(DEPLOYMENT.draining),
    '',
  ];
  for (const token of others) {
    t.equal(ask({}, [`X-Turnout-Preview: ${token}`]).reason, 'active', token);
    t.equal(ask({}, [`Cookie: turnout-~preview=${token}`]).reason, 'active', token);
  }
});

await t.test('a preview token opens its own deployment, whatever that is', async (t) => {
  for (const place of ['active', 'idle', 'draining', 'previewed'] as const) {
    const outcome = ask({}, [preview(place)]);
    t.equal(outcome.to, place);
    t.equal(outcome.reason, 'preview');
    t.equal(outcome.gives, undefined);
  }
});

await t.test('a preview token leads past what its color has now', async (t) => {
  // Blue has another one, which was registered after the link was given.
  const { blue } = shop();
  const service = { blue: { ...blue, number: DEPLOYMENT.future } };
  t.equal(ask(service, [preview('idle')]).reason, 'active');
  t.equal(ask({ ...service, previewed: [blue] }, [preview('idle')]).reason, 'preview');
});

await t.test('a preview token never opens a deployment that is locked out', async (t) => {
  const { blue, draining, previewed } = shop();
  const service: Partial<Service> = {
    blue: lockedOut(blue),
    draining: draining.map((one) => ({ ...one, deployment: lockedOut(one.deployment) })),
    previewed: previewed.map(lockedOut),
  };
  for (const place of ['idle', 'draining', 'previewed'] as const) {
    const outcome = ask(service, [preview(place), `Cookie: turnout-~preview=${tokenFor(place)}`]);
    t.equal(outcome.to, 'active', place);
    t.equal(outcome.reason, 'active', place);
  }
  const byListener = ask(service, [], { client: clientOf({ isPreview: true }) });
  t.equal(byListener.to, 'idle', 'the preview listener alone leads there');
});

await t.test('a preview token without an end opens until its series is revoked', async (t) => {
  const { blue } = shop();
  const deciding = new Deciding(ON);
  const later = new Deciding(ON, { blue: { ...blue, previewSeries: 1 } });
  for (const one of [deciding, later]) one.wall.seconds = NOW_S + 100 * 365 * 86_400;
  t.equal(deciding.ask([preview('idle')]).to, 'idle');
  t.equal(deciding.ask([`X-Turnout-Preview: ${TOKEN}`]).to, 'active', 'the other one is over');
  t.equal(later.ask([preview('idle')]).to, 'active');
});

await t.test('one listener previews whatever comes in', async (t) => {
  const outcome = ask({}, [SESSION], { client: clientOf({ isPreview: true }) });
  t.equal(outcome.to, 'idle');
  t.equal(outcome.reason, 'preview');
  t.notMatch(outcome.sent, /turnout=/, 'own cookies are taken out there too');
});

await t.test('previews pass maintenance and hold', async (t) => {
  const service = { maintenance: MAINTENANCE, hold: HOLD };
  t.equal(ask(service, [`X-Turnout-Preview: ${TOKEN}`]).verdict, 'forward');
  t.equal(ask(service, [], { client: clientOf({ isPreview: true }) }).to, 'idle');
});

await t.test('previews leave no session behind', async (t) => {
  const deciding = new Deciding(ON);
  deciding.ask([`X-Turnout-Preview: ${TOKEN}`, SESSION]);
  t.strictSame(deciding.sessionsSeen(), {});
});

await t.test('maintenance refuses every request', async (t) => {
  for (const fields of [[], [SESSION], ['X-Deployment-Id: r2']]) {
    for (const method of ['GET', 'POST']) {
      const outcome = ask({ maintenance: MAINTENANCE }, fields, { method });
      t.equal(outcome.verdict, 'refuse');
      t.match(outcome.refusal, { code: 'MAINTENANCE', retryAfterSeconds: 120, page: '' });
      t.equal(outcome.gives, undefined);
    }
  }
});

await t.test('maintenance says what the operator says', async (t) => {
  const maintenance = { message: 'Back at 5 < 6', retryAfterSeconds: 1 };
  t.equal(ask({ maintenance }).refusal?.detail, 'Back at 5 < 6');
  t.match(ask({ maintenance }, [HTML]).refusal?.page, /Back at 5 &lt; 6/);
  t.match(ask({ maintenance: MAINTENANCE }).refusal?.detail, /is in maintenance/);
  t.match(ask({ maintenance: MAINTENANCE }, [HTML]).refusal?.page, /is in maintenance/);
});

await t.test('a browser gets the page of the operator, a program the line', async (t) => {
  const page = '<h1>Closed</h1>';
  const deciding = new Deciding({ ...ON, maintenance: { page } }, { maintenance: MAINTENANCE });
  t.equal(deciding.ask([HTML]).refusal?.page, page);
  t.equal(deciding.ask(['Accept: application/json']).refusal?.page, '');
});

await t.test('maintenance comes before hold', async (t) => {
  const deciding = new Deciding(ON, { maintenance: MAINTENANCE, hold: HOLD });
  t.equal(deciding.ask([]).verdict, 'refuse');
  t.strictSame(deciding.roomAsked, []);
});

await t.test('requests wait while the service is held', async (t) => {
  const deciding = new Deciding(ON, { hold: HOLD });
  t.equal(deciding.ask([]).verdict, 'wait');
  t.equal(deciding.ask([SESSION], { method: 'POST' }).verdict, 'wait');
  t.equal(deciding.ask([]).gives, undefined, 'no session before it goes on');
  t.strictSame(deciding.sessionsSeen(), {});
});

await t.test('a request asks for as much room as its head takes', async (t) => {
  const deciding = new Deciding(ON, { hold: HOLD });
  deciding.ask(['X-A: 1']);
  const head = 'GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: 1\r\n\r\n';
  t.strictSame(deciding.roomAsked, [head.length]);
});

await t.test('a request without room to wait is refused', async (t) => {
  const deciding = new Deciding(ON, { hold: HOLD });
  deciding.hasRoom = false;
  const outcome = deciding.ask([]);
  t.equal(outcome.verdict, 'refuse');
  t.match(outcome.refusal, { code: 'HOLD_FULL', retryAfterSeconds: 1 });
});

await t.test('with writes held, only unsafe methods wait', async (t) => {
  const deciding = new Deciding(ON, { hold: { ...HOLD, methods: 'writes' } });
  const verdictOf = (method: string): string => deciding.ask([], { method }).verdict;
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    t.equal(verdictOf(method), 'forward', method);
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'LOCK']) {
    t.equal(verdictOf(method), 'wait', method);
  }
});

await t.test('a request that has waited goes on to the active color', async (t) => {
  const outcome = ask({ hold: HOLD }, [], { client: clientOf({ hasWaited: true }) });
  t.equal(outcome.verdict, 'forward');
  t.equal(outcome.to, 'active');
  t.equal(outcome.gives?.deployment, DEPLOYMENT.active);
});

await t.test('a hold that is over holds no request', async (t) => {
  const deciding = new Deciding(ON, { hold: HOLD });
  deciding.wall.seconds = NOW_S + 29;
  t.equal(deciding.ask([]).verdict, 'wait');
  deciding.wall.seconds = NOW_S + 30;
  t.equal(deciding.ask([]).verdict, 'forward');
});

await t.test(
  'health checks are answered while the service waits or is in maintenance',
  async (t) => {
    for (const service of [{ hold: HOLD }, { maintenance: MAINTENANCE }]) {
      const verdictOf = (target: string, method = 'GET'): string =>
        ask(service, [], { target, method }).verdict;
      t.equal(verdictOf('/healthz'), 'respond');
      t.equal(verdictOf('/healthz?full=1', 'HEAD'), 'respond');
      t.not(verdictOf('/healthz/'), 'respond');
      t.not(verdictOf('/'), 'respond');
      t.not(verdictOf('/healthz', 'POST'), 'respond');
    }
  },
);

await t.test(
  'a person on the health path, which may be the home page, is no health check',
  async (t) => {
    const person = ['Accept: text/html,*/*;q=0.8'];
    const asking = { target: '/healthz' };
    t.equal(ask({ maintenance: MAINTENANCE }, person, asking).verdict, 'refuse');
    t.equal(ask({ hold: HOLD }, person, asking).verdict, 'wait');
    t.equal(ask({ hold: HOLD }, ['Accept: */*'], asking).verdict, 'respond');
  },
);

await t.test('health checks are the affair of the target otherwise', async (t) => {
  const target = '/healthz';
  t.equal(ask({}, [], { target }).verdict, 'forward');
  t.equal(ask({ hold: { ...HOLD, methods: 'writes' } }, [], { target }).verdict, 'forward');
});

await t.test('a service without a health path answers no health check', async (t) => {
  const deciding = new Deciding({ ...ON, healthPath: '' }, { maintenance: MAINTENANCE });
  t.equal(deciding.ask([], { target: '/' }).verdict, 'refuse');
  t.equal(deciding.ask([], { target: 'http://shop.test' }).verdict, 'refuse');
});

await t.test('one decision leaves nothing to the next', async (t) => {
  const deciding = new Deciding(ON, { maintenance: MAINTENANCE });
  deciding.ask([SESSION]);
  deciding.table = new Deciding(ON).table;
  const next = deciding.ask([]);
  t.match(next, { verdict: 'forward', refusal: undefined, to: 'active', reason: 'active' });
  deciding.ask([`X-Turnout-Preview: ${TOKEN}`]);
  t.equal(deciding.ask([]).to, 'active');
  deciding.ask([SESSION]);
  const upgrade = ['Connection: upgrade', 'Upgrade: x'];
  t.match(deciding.ask(upgrade), { to: 'active', hasSession: false });
  t.ok(deciding.ask([]).gives);
  t.equal(deciding.ask(upgrade).gives, undefined);
});
