import t from 'tap';
import type { ShadowDifference, ShadowedPath } from '../../../../src/contract/shadow-rules.ts';
import { Wheel } from '../../../../src/data-plane/base/wheel.ts';
import {
  DifferenceNotes,
  PATHS_TOLD_MAX,
} from '../../../../src/data-plane/shadow/difference-notes.ts';

const EXAMPLE: ShadowDifference = {
  kind: 'status',
  field: '',
  statuses: [200, 500],
  bytes: [0, 0],
  hashes: ['', ''],
};

function noting(): {
  readonly wheel: Wheel;
  readonly differences: DifferenceNotes;
  readonly told: (readonly [number, readonly ShadowedPath[]])[];
} {
  const wheel = new Wheel();
  const told: (readonly [number, readonly ShadowedPath[]])[] = [];
  const report = (deployment: number, paths: readonly ShadowedPath[]): void => {
    told.push([deployment, paths]);
  };
  return {
    wheel,
    told,
    differences: new DifferenceNotes(wheel, report, (error) => t.fail(String(error))),
  };
}

await t.test('what differs is told once a second, by deployment and path', async (t) => {
  const { wheel, differences, told } = noting();
  differences.note(4, 'GET', '/users/17', EXAMPLE);
  differences.note(4, 'GET', '/users/18', { ...EXAMPLE, statuses: [200, 404] });
  differences.note(5, 'HEAD', '/users/18', EXAMPLE);
  t.strictSame(told, []);
  wheel.advance(12);
  const latest = { ...EXAMPLE, statuses: [200, 404] as const };
  t.strictSame(told, [
    [4, [{ method: 'GET', path: '/users/*', count: 2, example: latest }]],
    [5, [{ method: 'HEAD', path: '/users/*', count: 1, example: EXAMPLE }]],
  ]);
});

await t.test('nothing is told twice', async (t) => {
  const { wheel, differences, told } = noting();
  differences.note(4, 'GET', '/a', EXAMPLE);
  wheel.advance(12);
  wheel.advance(50);
  t.equal(told.length, 1);
});

await t.test('of more paths than fit into a message, those that came first are told', async (t) => {
  const { wheel, differences, told } = noting();
  for (let i = 0; i < 1_000; i++)
    differences.note(4, 'GET', `/${'a'.repeat(i % 30)}/${'b'.repeat(i / 30)}`, EXAMPLE);
  for (let i = 0; i < 100; i++) differences.note(100 + i, 'GET', '/', EXAMPLE);
  wheel.advance(12);
  t.equal(told[0]![1].length, PATHS_TOLD_MAX);
  t.equal(told.length, 16);
});
