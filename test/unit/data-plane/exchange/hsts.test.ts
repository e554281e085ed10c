// Strict-Transport-Security: over TLS alone, once, on the responses of the proxy too.

import t, { type Test } from 'tap';
import { readResponse, valuesOf } from '../../../support/message.ts';
import { openOrigin } from '../../../support/origin.ts';
import { openTestPlane } from '../../../support/plane.ts';
import type { PolicyPatch } from '../../../support/policy.ts';
import { overTls, PLAIN, type WireTransport } from '../../../support/wire-transport.ts';

const HSTS: PolicyPatch = { edge: { hstsMs: 15_552_000_900 } };

interface Asked {
  readonly transport: WireTransport;
  readonly policy: PolicyPatch;
  /** Lines of the response of the target; undefined: it has gone. */
  readonly said?: string;
  /** Lines of the request. */
  readonly fields?: string;
  readonly status?: number;
}

/** Returns the values of the field in the response to one request. */
async function ask(t: Test, asked: Asked): Promise<string[]> {
  const { transport, policy, said, fields = '', status = 200 } = asked;
  const origin = await openOrigin(async (connection) => {
    await connection.nextRequest();
    if (said === undefined) connection.reset();
    else connection.send(`HTTP/1.1 200 OK\r\n${said}Content-Length: 2\r\n\r\nok`);
  });
  const plane = await openTestPlane(
    { blue: [origin.port], green: [] },
    {
      ...transport.settings,
      forwarding: { trustedProxies: fields === '' ? [] : ['127.0.0.0/8'] },
      service: { policy },
    },
  );
  const peer = await transport.connect(plane.port);
  t.teardown(async () => {
    peer.reset();
    await plane.stop();
    await origin.close();
  });
  peer.send(`GET /a HTTP/1.1\r\nHost: localhost\r\n${fields}\r\n`);
  const response = await peer.until('response', () =>
    readResponse(peer.text, 0, { method: 'GET', hasEnded: false }),
  );
  t.ok(response.start.startsWith(`HTTP/1.1 ${status} `), response.start);
  return valuesOf(response.fields, 'strict-transport-security');
}

const OURS = 'max-age=15552000';

await t.test('it is sent over TLS, in whole seconds', async (t) => {
  const transport = overTls();
  t.strictSame(await ask(t, { transport, policy: HSTS, said: '' }), [OURS]);
  t.strictSame(await ask(t, { transport, policy: {}, said: '' }), [], 'not unless it is asked for');
});

await t.test(
  'it is sent over plain HTTP only where a trusted proxy has come by https',
  async (t) => {
    const asked = { transport: PLAIN, policy: HSTS, said: '' };
    t.strictSame(await ask(t, asked), []);
    t.strictSame(await ask(t, { ...asked, fields: 'X-Forwarded-Proto: http\r\n' }), []);
    t.strictSame(await ask(t, { ...asked, fields: 'X-Forwarded-Proto: https\r\n' }), [OURS]);
  },
);

await t.test('what the app says goes before, and it is said once', async (t) => {
  const asked = { transport: overTls(), policy: HSTS };
  const said = 'strict-transport-security: max-age=0\r\n';
  t.strictSame(await ask(t, { ...asked, said }), ['max-age=0']);
});

await t.test('responses of the proxy have it', async (t) => {
  const transport = overTls();
  t.strictSame(await ask(t, { transport, policy: HSTS, status: 502 }), [OURS]);
  const edge = { ...HSTS.edge, canonicalHost: 'www.shop.test' };
  t.strictSame(await ask(t, { transport, policy: { edge }, status: 308 }), [OURS]);
  t.strictSame(await ask(t, { transport: PLAIN, policy: HSTS, status: 502 }), []);
});
