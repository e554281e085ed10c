// Terms of TLS to targets that change while connections are open, and when what they need is made.

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Socket } from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { TargetTls } from '../../../../src/contract/target-tls.ts';
import { authority, pemsOf } from '../../../support/certificates.ts';
import { testTable, upstreamTerms, openTestPlane } from '../../../support/plane.ts';
import { ask, certify, listen, planeTo, target } from '../../../support/tls-target.ts';

const ca = authority(t);
const { cert: caPem } = pemsOf(ca);
const good = pemsOf(ca.sign('app'));
const terms = upstreamTerms(caPem);
const others = { ...terms, authorities: caPem + pemsOf(authority(t)).cert };

/** A fatal one: unexpected_message. */
const TLS_ALERT = Buffer.from('15030300020210', 'hex');

/** Counts what is made from here to the end of the test. */
function countContexts(t: Test): { made: number } {
  const count = { made: 0 };
  const make = tls.createSecureContext;
  tls.createSecureContext = (options) => {
    count.made++;
    return make(options);
  };
  t.teardown(() => {
    tls.createSecureContext = make;
  });
  return count;
}

await t.test('no request waits for a context: each is made before', async (t) => {
  // Of its own end: what the servers of the test need is made first.
  const { port } = await target(t, good);
  const { port: idle } = await target(t, good);
  const count = countContexts(t);
  const plane = await openTestPlane({ blue: [port], green: [idle] }, { targetAuthorities: caPem });
  t.teardown(() => plane.stop());
  t.equal(count.made, 1, 'by the table that the worker is born with');
  t.equal((await ask(plane.port)).status, 200);
  await plane.switchTo('green');
  t.equal((await ask(plane.port)).status, 200);
  t.equal(count.made, 1);
  certify(plane, others);
  t.equal(count.made, 2, 'by the order that brings other terms');
  t.equal((await ask(plane.port)).status, 200);
  t.equal(count.made, 2);
});

await t.test('a table makes ready what its targets need, also those of the system', (t) => {
  const own = new TargetTls({ upstreams: [] });
  const count = countContexts(t);
  own.makeReady(testTable(1, 'blue', { blue: [1], green: [] }));
  t.equal(count.made, 0, 'nothing for targets without TLS');
  own.makeReady(testTable(2, 'blue', { blue: [1], green: [] }, {}, true));
  t.equal(count.made, 1);
  const [endpoint] = testTable(2, 'blue', { blue: [1], green: [] }, {}, true).services[0]!.blue
    .endpoints;
  own.of(endpoint as Parameters<TargetTls['of']>[0]);
  t.equal(count.made, 1);
  t.end();
});

await t.test('services that say the same share what is made', (t) => {
  const upstreams = ['one', 'two'].map((service) => ({ ...terms, service, serverName: service }));
  const own = new TargetTls({ upstreams });
  const address = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const [one, two] = ['one', 'two'].map((service) =>
    own.of({ address, tls: { name: 'localhost', service } }),
  );
  t.equal(one!.context, two!.context);
  t.notSame(one!.name, two!.name);
  own.renew({ upstreams: [{ ...upstreams[0]!, serverName: 'three' }, upstreams[1]!] });
  t.same([one!.isOver, two!.isOver], [true, false], 'only what has changed is over');
  t.end();
});

await t.test(
  'idle connections close once other terms count, busy ones after their request',
  async (t) => {
    const { port, seen } = await target(t, good);
    const plane = await planeTo(t, port, terms);
    await ask(plane.port);
    t.equal(seen.connections, 1);
    const [first] = [...seen.sockets];
    const closed = once(first!, 'close');
    certify(plane, others);
    await closed;
    t.equal((await ask(plane.port)).status, 200);
    t.equal(seen.connections, 2);

    // The body is on its way while the terms change.
    const asked = request({ port: plane.port, method: 'POST', agent: false });
    asked.flushHeaders();
    await once(seen.events, 'request');
    const [, busy] = [...seen.sockets];
    certify(plane, terms);
    t.notOk(busy!.destroyed);
    const over = once(busy!, 'close');
    asked.end('whole');
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    t.equal(response.statusCode, 200);
    response.resume();
    await over;
    t.equal((await ask(plane.port)).status, 200);
    t.equal(seen.connections, 3);
  },
);

await t.test('the same terms again close nothing, and a tunnel goes on in any case', async (t) => {
  const { port, seen } = await target(t, good);
  const plane = await planeTo(t, port, terms);
  const asked = request({ port: plane.port, headers: { connection: 'upgrade', upgrade: 'echo' } });
  asked.end();
  const [, tunnel] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket];
  await ask(plane.port);
  certify(plane, terms);
  await ask(plane.port);
  t.equal(seen.connections, 2);
  certify(plane, others);
  tunnel.write('still here');
  const [echo] = (await once(tunnel, 'data')) as [Buffer];
  t.equal(echo.toString(), 'still here');
  tunnel.destroy();
});

await t.test('TLS 1.3: a refusal behind our end of the handshake is no connection', async (t) => {
  const picky = await target(t, { ...good, ca: caPem, requestCert: true, minVersion: 'TLSv1.3' });
  const plane = await planeTo(t, picky.port, terms);
  const told = /^502 CONNECT_FAILED: .*it does not accept the certificate of Turnout/;
  t.match((await ask(plane.port)).body, told);
  t.match((await ask(plane.port, '/', Buffer.from('an upload'))).body, told);
  const easy = await target(t, good);
  const both = await openTestPlane(
    { blue: [picky.port, easy.port], green: [] },
    { targetAuthorities: caPem },
  );
  t.teardown(() => both.stop());
  for (let i = 0; i < 10; i++) t.equal((await ask(both.port)).status, 200);
});

await t.test('a target that responds in TLS to a request without is named', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.once('data', () => socket.end(TLS_ALERT))),
  );
  const plane = await openTestPlane({ blue: [port], green: [] }, {});
  t.teardown(() => plane.stop());
  t.match((await ask(plane.port)).body, /^502 UPSTREAM_BAD_RESPONSE: the target speaks TLS/);
});
