// What is counted for no release because no target was asked, and which ids a request has on all its ways.

import { HEALTHY } from '../../../../src/data-plane/routing/responses/own-response.ts';
import t from 'tap';
import {
  BLOCK,
  blockOffset,
  DECISION,
  requestSlot,
  workerRegion,
} from '../../../../src/contract/counters.ts';
import { refusalFor } from '../../../../src/data-plane/routing/responses/refusal.ts';
import { GET, OK, POST, SWITCHING, UPGRADE } from '../support/exchange-texts.ts';
import { ExchangeWorld } from '../support/exchange-world.ts';

/** Returns the requests that were counted, as `block status`. */
function countedRequests({ memory }: ExchangeWorld): string[] {
  const region = workerRegion(memory.counters, 0);
  const counted: string[] = [];
  for (let block = 0; block < 4; block++) {
    for (let status = 200; status < 600; status++) {
      for (const decision of Object.values(DECISION)) {
        const count = region[blockOffset(block) + requestSlot(decision, status)]!;
        for (let one = 0; one < count; one++) counted.push(`${block} ${status}`);
      }
    }
  }
  return counted;
}

await t.test('what no target was asked for counts against no release', (t) => {
  const refusal = refusalFor('MAINTENANCE');
  const own = [
    new ExchangeWorld({ decided: { verdict: 'refuse', refusal } }).asks(GET),
    new ExchangeWorld({ decided: { verdict: 'respond', response: HEALTHY } }).asks(GET),
    new ExchangeWorld({ decided: { service: undefined }, blue: [] }).asks(GET),
    new ExchangeWorld({ blue: [] }).asks(GET),
    new ExchangeWorld({ blue: [], decided: { reason: DECISION.preview } }).asks(GET),
    new ExchangeWorld({ patch: { client: { bodyBytesMax: 5 } } }).asks(POST),
    // The body is wrong before anything was sent.
    new ExchangeWorld().asks(
      `${GET.slice(0, -2).replace('GET', 'POST')}Transfer-Encoding: chunked\r\n\r\nx`,
    ),
  ];
  const statuses = ['503', '200', '404', '503', '503', '413', '400'];
  for (const [index, world] of own.entries()) {
    t.strictSame(countedRequests(world), [`0 ${statuses[index]}`]);
    const [code] = Object.keys(world.failures);
    const failed = workerRegion(world.memory.counters, 0).slice(
      blockOffset(0) + BLOCK.failures,
      blockOffset(0) + BLOCK.duration,
    );
    t.equal(
      failed.reduce((sum, one) => sum + one),
      code === undefined ? 0 : 1,
    );
    t.strictSame(world.counted, [], 'and nothing is left running');
  }
  const asked = new ExchangeWorld().asks(GET);
  asked.target.failsToConnect();
  while (!asked.exchange.isOver) asked.target.failsToConnect();
  t.strictSame(countedRequests(asked), ['1 502'], 'a target that fails is its release');
  t.end();
});

function idsIn(text: string): string[] {
  return text.match(/^(?:x-request-id|traceparent): .*$/gm) ?? [];
}

await t.test('the same ids go to each target that is tried, and back to the client', (t) => {
  const ids = { field: 'x-request-id', traces: 'continue', newTraces: 'sampled' } as const;
  const rescued = new ExchangeWorld({ patch: { ids } }).asks(GET.replace('/ ', '/assets/a.js '));
  const [first] = rescued.targets;
  first!.opens();
  const sent = idsIn(first!.text);
  t.equal(sent.length, 2);
  first!.says('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  rescued.target.opens();
  t.strictSame(idsIn(rescued.target.text), sent, 'a rescue is the same request');
  rescued.target.says(OK.replace('Content-Length', 'X-Request-Id: of the app\r\nContent-Length'));
  t.strictSame(idsIn(rescued.client.text), [sent[0]]);
  t.notMatch(rescued.client.text, 'of the app');

  const retried = new ExchangeWorld({ patch: { ids } }).asks(GET);
  retried.target.failsToConnect();
  retried.target.opens();
  t.equal(retried.retries, 1);
  const [id] = idsIn(retried.target.text);
  t.match(id, /^x-request-id: [0-9a-f]{32}$/);
  retried.target.breaksOff();
  t.match(retried.client.text, `\r\n${id}\r\n`, 'a refusal has it, too');

  const upgraded = new ExchangeWorld({ patch: { ids } }).asks(UPGRADE);
  upgraded.target.opens();
  const [asked] = idsIn(upgraded.target.text);
  upgraded.target.says(SWITCHING);
  t.match(upgraded.client.text, `\r\n${asked}\r\n`, 'and so has a 101');
  t.end();
});
