// Random requests in line, random responses, both cut at random places: every request reaches the
// target whole and once, and every response its request. Framing never reads past or short of a body.

import * as fc from 'fast-check';
import t from 'tap';
import { GOOD_BODY, type Body } from '../support/arbitrary-message.ts';
import { readResponse, type Message } from '../support/message.ts';
import { openOrigin } from '../support/origin.ts';
import { openTestPlane } from '../support/plane.ts';
import { connectRaw } from '../support/raw-peer.ts';

/** Each run is a connection with up to four requests; TURNOUT_RUNS raises it for a long hunt. */
const RUNS = Number(process.env['TURNOUT_RUNS'] ?? 400);

const NO_BODY: Body = { field: '', wire: '', data: '', trailers: [] };
const CUTS = fc.array(fc.nat({ max: 300 }), { maxLength: 5 });

/** One request and its response. */
const EXCHANGE = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'HEAD'),
  body: fc.oneof(fc.constant(NO_BODY), GOOD_BODY),
  informational: fc.constantFrom('', '', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'),
  status: fc.constantFrom(200, 200, 404, 204, 304),
  responseBody: GOOD_BODY,
  responseCuts: CUTS,
});

type Exchange = typeof EXCHANGE extends fc.Arbitrary<infer T> ? T : never;

let exchanges: readonly Exchange[] = [];
let seen: Message[] = [];
const origin = await openOrigin(async (connection) => {
  for (;;) {
    const request = await connection.nextRequest();
    if (request === undefined) break;
    seen.push(request);
    const exchange = exchanges[seen.length - 1];
    if (exchange === undefined) break;
    const { status, informational, responseBody, responseCuts } = exchange;
    const body = hasNoBody(exchange) ? '' : responseBody.wire;
    const field = status === 204 || status === 304 ? '' : responseBody.field;
    const sent = `${informational}HTTP/1.1 ${status} X\r\n${field}\r\n${body}`;
    await connection.sendCut(sent, placesIn(sent, responseCuts));
  }
  connection.end();
});
const plane = await openTestPlane({ blue: [origin.port], green: [] }, {});

t.teardown(async () => {
  await plane.stop();
  await origin.close();
});

await t.test('requests and responses survive any fragmentation', async (t) => {
  const line = fc.array(EXCHANGE, { minLength: 1, maxLength: 4 });
  await fc.assert(fc.asyncProperty(line, CUTS, check), { numRuns: RUNS });
  t.pass(`${RUNS} connections`);
});

async function check(line: readonly Exchange[], cuts: readonly number[]): Promise<void> {
  exchanges = line;
  seen = [];
  const client = await connectRaw(plane.port);
  const requests = line.map(
    ({ method, body }, index) =>
      `${method} /${index} HTTP/1.1\r\nHost: a.test\r\n${body.field}\r\n${body.wire}`,
  );
  const text = requests.join('');
  await client.sendCut(text, placesIn(text, cuts));
  let at = 0;
  for (const [index, exchange] of line.entries()) {
    const final = `HTTP/1.1 ${exchange.status} X`;
    for (const start of exchange.informational === ''
      ? [final]
      : ['HTTP/1.1 103 Early Hints', final]) {
      const from = at;
      const response = await client.until(`response ${index}`, () => {
        const found = readResponse(client.text, from, { method: exchange.method, hasEnded: false });
        return found?.isComplete === true ? found : undefined;
      });
      at = response.end;
      const body = start !== final || hasNoBody(exchange) ? NO_BODY : exchange.responseBody;
      same(
        `response ${index}`,
        meaningOf(response),
        meaningOf({ ...body, start, body: body.data }),
      );
    }
  }
  const surplus = client.text.slice(at);
  client.reset();
  same('bytes behind the responses', surplus, '');
  const sent = line.map(({ method, body: { data, trailers } }, index) =>
    meaningOf({ start: `${method} /${index} HTTP/1.1`, body: data, trailers }),
  );
  same('requests at the origin', seen.map(meaningOf).join('\n'), sent.join('\n'));
}

function hasNoBody({ method, status }: Exchange): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** What must be equal on both sides; framing and chunk borders need not be. */
function meaningOf({
  start,
  body,
  trailers,
}: Pick<Message, 'start' | 'body' | 'trailers'>): string {
  return JSON.stringify({ start, body, trailers });
}

function same(what: string, got: string, wanted: string): void {
  if (got !== wanted) throw new Error(`${what}: got ${got}, expected ${wanted}`);
}

function placesIn(text: string, cuts: readonly number[]): number[] {
  return [...new Set(cuts)].filter((cut) => cut > 0 && cut < text.length).toSorted((a, b) => a - b);
}
