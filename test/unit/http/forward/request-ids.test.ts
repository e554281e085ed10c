// What becomes of the id of a request and of its trace: kept from trusted peers, else made; and what the
// target and the client are told.

import t from 'tap';
import { FieldNames } from '../../../../src/http/grammar/field-kind.ts';
import { describePeer, Forwarder } from '../../../../src/http/forward/forwarding.ts';
import { HeadBuffer } from '../../../../src/http/forward/head-buffer.ts';
import { RequestIds, type IdRules } from '../../../../src/http/forward/request-ids.ts';
import { dropTable } from '../../../../src/http/forward/copy-head.ts';
import { copiedText, requestWith, responseWith } from '../../../support/heads.ts';

const RULES: IdRules = { field: 'x-request-id', traces: 'continue', newTraces: 'sampled' };
const FORWARDER = new Forwarder({ xForwarded: false, forwarded: false, via: '' });
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const GIVEN = `traceparent: 00-${TRACE}-${PARENT}-01`;

interface Seen {
  readonly requestId: string;
  readonly trace: string;
  /** Field lines that the target gets, but for Host and what the proxy says of itself. */
  readonly sent: readonly string[];
}

/** A request comes in with `fields`; `ids` serves several. */
function ask(
  fields: readonly string[],
  {
    ids = new RequestIds(RULES),
    field = RULES.field,
    isTrusted = false,
  }: { readonly ids?: RequestIds; readonly field?: string; readonly isTrusted?: boolean } = {},
): Seen {
  const head = requestWith(fields, { names: new FieldNames([], field) });
  const peer = describePeer({ remoteAddress: '127.0.0.1', isTrusted, isSecure: false });
  ids.read(head, isTrusted);
  const { requestId, trace } = ids;
  const sent = FORWARDER.requestHead(head, peer, 'a', '\r\n', ids)
    .split('\r\n')
    .slice(2, -2)
    .filter((line) => !line.startsWith('x-turnout-'));
  return { requestId, trace, sent };
}

function withRules(rules: Partial<IdRules>): RequestIds {
  return new RequestIds({ ...RULES, ...rules });
}

await t.test('what is missing is made, and one id serves for both', async (t) => {
  const ids = new RequestIds(RULES);
  const seen = new Set<string>();
  for (let time = 0; time < 2_000; time++) {
    const { requestId, trace, sent } = ask(['X-A: 1'], { ids });
    t.match(requestId, /^[0-9a-f]{32}$/);
    t.match(trace, /^[0-9a-f]{32}-[0-9a-f]{16}$/);
    t.equal(trace.slice(0, 32), requestId);
    t.strictSame(sent, ['X-A: 1', `x-request-id: ${requestId}`, `traceparent: 00-${trace}-01`]);
    seen.add(requestId).add(trace.slice(33));
  }
  t.equal(seen.size, 4_000, 'no two are the same');
});

await t.test('an untrusted client names nothing', async (t) => {
  for (const given of [
    'X-Request-ID: mine',
    'x-request-id:',
    'X_Request_Id: mine',
    'X-Request_ID: a',
  ]) {
    const { requestId, sent } = ask([given, 'X-B: 2']);
    t.match(requestId, /^[0-9a-f]{32}$/, given);
    t.equal(sent.filter((line) => /^x.request.id:/i.test(line)).length, 1, 'theirs is gone');
    t.equal(sent[0], 'X-B: 2');
  }
});

await t.test('the id of a trusted proxy stays as it is, where it is one', async (t) => {
  const usable = ['a', '7f0c-1.b/=,;"{}', 'x'.repeat(128), '\x21\x7e'];
  for (const id of usable) {
    const { requestId, sent } = ask([`X-Request-ID: ${id}`], { isTrusted: true });
    t.equal(requestId, id);
    t.equal(sent[0], `X-Request-ID: ${id}`, 'the line is not touched');
    t.equal(sent.length, 2, 'and the trace is added');
  }
  const unusable = ['', 'x'.repeat(129), 'a b', 'a\tb', '\xe9', '\x80'];
  for (const id of unusable) {
    const { requestId, sent } = ask([`X-Request-ID: ${id}`], { isTrusted: true });
    t.match(requestId, /^[0-9a-f]{32}$/, JSON.stringify(id));
    t.equal(sent[0], `x-request-id: ${requestId}`);
  }
});

await t.test('several ids, or one that ends here, are none', async (t) => {
  for (const fields of [
    ['x-request-id: a', 'x-request-id: b'],
    ['x-request-id: a', 'X-A: 1', 'X-Request-Id: a'],
    ['x-request-id: a', 'Connection: x-request-id'],
  ]) {
    const { requestId, sent } = ask(fields, { isTrusted: true });
    t.match(requestId, /^[0-9a-f]{32}$/);
    t.equal(sent.filter((line) => /^x-request-id:/i.test(line)).length, 1);
  }
  const { requestId, sent } = ask(['x-request-id: a', 'X_Request_Id: b'], { isTrusted: true });
  t.equal(requestId, 'a');
  t.notMatch(sent.join(), 'X_Request_Id', 'many servers would read it as the other');
});

await t.test('a trace goes on with a span of ours', async (t) => {
  const state = ['tracestate: a=1,b=2', 'tracestate:', 'Tracestate: c=3'];
  const { requestId, trace, sent } = ask([GIVEN, ...state]);
  t.equal(trace.slice(0, 33), `${TRACE}-`);
  t.not(trace.slice(33), PARENT);
  t.not(requestId, TRACE, 'a trace has many requests');
  t.strictSame(sent, [...state, `x-request-id: ${requestId}`, `traceparent: 00-${trace}-01`]);
});

await t.test('flags stay as they are known, whatever the version', async (t) => {
  const pairs = { '00': '00', '01': '01', '02': '02', '03': '03', ff: '03', '08': '00' };
  for (const version of ['00', '42']) {
    for (const [given, told] of Object.entries(pairs)) {
      const { trace, sent } = ask([`traceparent: ${version}-${TRACE}-${PARENT}-${given}`]);
      t.equal(sent.at(-1), `traceparent: 00-${trace}-${told}`);
    }
  }
});

await t.test('with what is no traceparent a new trace begins, and its state ends', async (t) => {
  const wrong = [
    [`traceparent: 00-${TRACE}-${PARENT}-01-x`],
    [`traceparent: 00-${'0'.repeat(32)}-${PARENT}-01`],
    ['traceparent:'],
    [GIVEN, GIVEN],
    [GIVEN, 'Connection: traceparent'],
    [],
  ];
  for (const fields of wrong) {
    const { requestId, trace, sent } = ask([...fields, 'tracestate: a=1', 'TraceState: b=2']);
    t.equal(trace.slice(0, 32), requestId);
    t.strictSame(sent, [`x-request-id: ${requestId}`, `traceparent: 00-${trace}-01`]);
  }
});

await t.test('how a trace begins is a setting', async (t) => {
  const unsampled = ask([], { ids: withRules({ newTraces: 'unsampled' }) });
  t.equal(unsampled.sent.at(-1), `traceparent: 00-${unsampled.trace}-00`);
  const none = withRules({ newTraces: 'none' });
  const left = ask(['traceparent: nonsense', 'tracestate: a=1'], { ids: none });
  t.equal(left.trace, '');
  t.strictSame(left.sent, [`x-request-id: ${left.requestId}`], 'the target begins one');
  t.match(left.requestId, /^[0-9a-f]{32}$/);
  const goesOn = ask([GIVEN], { ids: none });
  t.equal(goesOn.trace.slice(0, 32), TRACE, 'one that was begun goes on all the same');
});

await t.test('with trusted, only traces of trusted proxies go on', async (t) => {
  const ids = withRules({ traces: 'trusted' });
  const outside = ask([GIVEN, 'tracestate: a=1'], { ids });
  t.not(outside.trace.slice(0, 32), TRACE);
  t.strictSame(outside.sent.length, 2);
  const inside = ask([GIVEN, 'tracestate: a=1'], { ids, isTrusted: true });
  t.equal(inside.trace.slice(0, 32), TRACE);
  t.equal(inside.sent[0], 'tracestate: a=1');
});

await t.test('what is off passes as it came', async (t) => {
  const fields = [
    'X-Request-Id: a',
    'x-request-id: b',
    'X_Request_Id: c',
    GIVEN,
    'tracestate: a=1',
  ];
  const off = ask(fields, { ids: withRules({ field: '', traces: 'off' }), field: '' });
  t.strictSame(off, { requestId: '', trace: '', sent: fields });
  const idAlone = ask(fields, { ids: withRules({ traces: 'off' }) });
  t.equal(idAlone.trace, '');
  t.strictSame(idAlone.sent, [GIVEN, 'tracestate: a=1', `x-request-id: ${idAlone.requestId}`]);
  const traceAlone = ask(fields, { ids: withRules({ field: '' }), field: '' });
  t.equal(traceAlone.requestId, '');
  t.strictSame(traceAlone.sent, [
    ...fields.slice(0, 3),
    'tracestate: a=1',
    `traceparent: 00-${traceAlone.trace}-01`,
  ]);
});

await t.test('another field may hold the id', async (t) => {
  const ids = withRules({ field: 'correlation-id', newTraces: 'none' });
  const { requestId, sent } = ask(
    [
      'Correlation-ID: mine',
      'CORRELATION_ID: mine',
      'X-Request-Id: a',
      'X_Request_Id: b',
      'Correlation-IE: c',
    ],
    { ids, field: 'correlation-id' },
  );
  t.strictSame(sent, [
    'X-Request-Id: a',
    'X_Request_Id: b',
    'Correlation-IE: c',
    `correlation-id: ${requestId}`,
  ]);
  const kept = ask(['Correlation-ID: theirs'], {
    ids,
    field: 'correlation-id',
    isTrusted: true,
  });
  t.strictSame(kept, { requestId: 'theirs', trace: '', sent: ['Correlation-ID: theirs'] });
  t.equal(ids.responseField('theirs'), 'correlation-id: theirs\r\n');
  const response = responseWith(
    200,
    ['Correlation-Id: x', 'X-Request-Id: y', 'A: 1'],
    new FieldNames([], 'correlation-id'),
  );
  ids.dropFromResponse(response);
  const left = copiedText(response, response.fieldsStart, response.end - 2, dropTable([]));
  t.equal(left, 'X-Request-Id: y\r\nA: 1\r\n');
});

await t.test('the response has one id, and that is ours', async (t) => {
  const ids = new RequestIds(RULES);
  const { requestId } = ask([], { ids });
  const response = responseWith(200, ['X-Request-Id: theirs', 'A: 1', 'x-request-id: too']);
  ids.dropFromResponse(response);
  const left = copiedText(response, response.fieldsStart, response.end - 2, dropTable([]));
  t.equal(left, 'A: 1\r\n');
  const to = new HeadBuffer();
  ids.addResponseField(to, requestId);
  t.equal(to.take(), `x-request-id: ${requestId}\r\n`);
  ids.addResponseField(to, '');
  t.equal(to.take(), '');
  const off = withRules({ field: '' });
  const untouched = responseWith(200, ['X-Request-Id: theirs'], new FieldNames([], ''));
  off.dropFromResponse(untouched);
  t.match(
    copiedText(untouched, untouched.fieldsStart, untouched.end - 2, dropTable([])),
    'X-Request-Id: theirs',
  );
});

await t.test('a request that could not be read gets an id of its own', async (t) => {
  const ids = new RequestIds(RULES);
  ask(['x-request-id: a'], { ids, isTrusted: true });
  ids.makeOnly();
  t.match(ids.requestId, /^[0-9a-f]{32}$/);
  const off = withRules({ field: '' });
  off.makeOnly();
  t.strictSame([off.requestId, off.trace], ['', '']);
});

await t.test('a head of any length is put together', async (t) => {
  const to = new HeadBuffer();
  const large = Buffer.alloc(100_000, 'a');
  to.addText('left by an error');
  to.begin();
  to.addText('b');
  to.addRange(large, 1, large.length);
  to.add(Buffer.from('c'));
  t.equal(to.take(), `b${'a'.repeat(99_999)}c`);
  to.addText('again');
  t.equal(to.take(), 'again');
});
