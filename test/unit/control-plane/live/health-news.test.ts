import t from 'tap';
import { HealthNews } from '../../../../src/control-plane/live/health-news.ts';
import type { HealthChange } from '../../../../src/control-plane/targets/health.ts';
import { ManualTimers } from '../support/manual-timers.ts';

function scene() {
  const timers = new ManualTimers();
  const told: string[] = [];
  const news = new HealthNews({
    timers,
    tell: ({ service, url, to }, changes) => told.push(`${service} ${url} ${to} ${changes}`),
    tellMore: (service, targets) => told.push(`${service} and ${targets} more`),
  });
  const change = (url: string, to: HealthChange['to'], service = 'shop'): void => {
    const from = to === 'up' ? 'down' : 'up';
    news.changed({ service, color: 'blue', url, from, to, reason: '' });
  };
  return { timers, told, change };
}

await t.test(
  'the first change is told at once, and a target that flaps once in ten seconds',
  async (t) => {
    const { timers, told, change } = scene();
    change('a', 'down');
    t.strictSame(told, ['shop a down 1']);
    for (let i = 0; i < 10; i++) {
      change('a', 'up');
      change('a', 'down');
    }
    change('a', 'up');
    await timers.pass(10_000);
    t.strictSame(told, ['shop a down 1', 'shop a up 21']);
    await timers.pass(60_000);
    t.equal(told.length, 2);
    t.equal(timers.count, 0, 'nothing is left of it');
  },
);

await t.test('a target that is in the end as it was told is not told of again', async (t) => {
  const { timers, told, change } = scene();
  change('a', 'down');
  change('a', 'up');
  change('a', 'down');
  await timers.pass(10_000);
  t.strictSame(told, ['shop a down 1']);
  change('a', 'up');
  t.equal(told.length, 2);
});

await t.test(
  'of many targets that fail together twenty are named, and the rest is counted',
  async (t) => {
    const { timers, told, change } = scene();
    for (let i = 0; i < 500; i++) change(`t${i}`, 'down');
    change('x', 'down', 'blog');
    t.equal(told.length, 21, 'another service has its own bound');
    await timers.pass(10_000);
    t.equal(told.at(-1), 'shop and 480 more');
  },
);
