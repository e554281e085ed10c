// One service, or a token that is good for it alone, can't take the numbers that the others need.

import t from 'tap';
import { BLOCKS_MAX, ENDPOINTS_MAX } from '../../../../src/contract/counters.ts';
import { Slots } from '../../../../src/control-plane/memory/slots.ts';
import { oneService } from '../support/tables.ts';

const QUIET = {
  isBlockQuiet: () => true,
  isEndpointQuiet: () => true,
  clearBlock: () => {},
  clearEndpoint: () => {},
};

/** Slots that `count` services share, each with nothing yet. */
function open(count: number) {
  const slots = new Slots(QUIET);
  const [service] = oneService({}).services;
  const services = Array.from({ length: count }, (_, index) => ({
    ...service!,
    name: `s${index}`,
  }));
  slots.retain([{ ...oneService({}), services }]);
  const color = 'blue' as const;
  let number = 0;
  const take = (index: number): number =>
    slots.endpoint({ service: `s${index}`, color, deployment: 1, url: `http://a:${++number}` });
  const deploy = (index: number): number =>
    slots.block({ service: `s${index}`, color, deployment: ++number, release: '' });
  return { slots, take, deploy };
}

/** Takes until it is refused; returns how often it was not. */
function takeAll(one: (index: number) => number, index: number): number {
  for (let taken = 0; ; taken++) {
    try {
      one(index);
    } catch (error) {
      t.match(error, { code: 'no-slot' });
      return taken;
    }
  }
}

await t.test('a service alone may have all', async (t) => {
  const { take, deploy } = open(1);
  t.equal(takeAll(take, 0), ENDPOINTS_MAX);
  t.equal(takeAll(deploy, 0), BLOCKS_MAX - 1);
});

await t.test('of two, each is sure of a quarter', async (t) => {
  const { take } = open(2);
  t.equal(takeAll(take, 0), (ENDPOINTS_MAX * 3) / 4);
  t.throws(() => take(0), {
    code: 'no-slot',
    message: /^s0 has 768 of 1024 targets, and what is free is kept for the other services; wait/,
  });
  t.equal(takeAll(take, 1), ENDPOINTS_MAX / 4);
});

await t.test('of 64, each can deploy, whatever one of them takes', async (t) => {
  const { take, deploy } = open(64);
  takeAll(take, 0);
  takeAll(deploy, 0);
  for (let index = 1; index < 64; index++) {
    for (let count = 0; count < 8; count++) t.doesNotThrow(() => take(index));
    for (let count = 0; count < 3; count++) t.doesNotThrow(() => deploy(index));
  }
});

await t.test('what no table names any more is not held against a service', async (t) => {
  const { slots, deploy } = open(2);
  const taken = takeAll(deploy, 0);
  const services = ['s0', 's1'].map((name) => ({ ...oneService({}).services[0]!, name }));
  slots.retain([{ ...oneService({}), services }]);
  t.ok(taken > 0 && takeAll(deploy, 0) >= taken - 2);
});
