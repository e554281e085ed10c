// A server with one rollout, for commands that show it, follow it or steer it: it tells one view after the
// other.

import type { Test } from 'tap';
import type { RolloutView } from '../../../../src/api/rollout-views.ts';
import { rolloutView } from '../../../support/rollout-view.ts';
import { fakeApi, type Request } from './fake-api.ts';

export const END = {
  outcome: 'done',
  cause: 'plan',
  reason: '',
  at: '2026-11-30T15:00:00.000Z',
  actor: '',
  restick: null,
  lockedOut: false,
} as const;

export const BASE = rolloutView();

function event(seq: number, text: string): RolloutView['events'][number] {
  return { seq, at: '2026-11-30T14:01:00.000Z', kind: 'rollout.stage', actor: '', text };
}

/** One view after the other; each shows all events up to its own. */
export function course(...last: readonly Partial<RolloutView>[]): readonly RolloutView[] {
  const events = BASE.events.concat(event(13, 'baking'), event(14, 'draining'), event(15, 'done'));
  return last.map((changes, index) => {
    const seen = events.slice(0, BASE.events.length + index);
    return rolloutView({ event: 12 + index, events: seen, ...changes });
  });
}

export const DONE = course(
  {},
  { stage: 'baking' },
  { stage: 'draining' },
  { stage: 'done', end: END },
);

interface Server {
  readonly admin: string;
  readonly asked: readonly Request[];
  /** Calls that would change something: path and body. */
  readonly changes: () => string[];
}

/** Tells the next of `views` with each look; the last one again and again. */
export async function rolloutServer(
  t: Test,
  views: readonly RolloutView[],
  more: (request: Request) => unknown = () => undefined,
): Promise<Server> {
  let at = 0;
  const { admin, asked, changes } = await fakeApi(t, (request) => {
    const special = more(request);
    if (special !== undefined) return special as never;
    if (request.path === '/v1/rollouts') return { status: 200, body: { rollouts: views } };
    const body = views[Math.min(at, views.length - 1)];
    if (request.method === 'GET') at++;
    return { status: 200, body };
  });
  const told = () => changes().map(({ path, body }) => `${path} ${JSON.stringify(body)}`);
  return { admin, asked, changes: told };
}
