// A switch that was ordered for later: what was meant, on which terms, and what came of it. Pure. What
// was meant is a deployment, named when it was ordered: never what is on a color by the time it is due.

import { z } from 'zod';
import { otherColor } from '../../contract/table.ts';
import { destination, type Destination } from '../deployments/destination.ts';
import { OperatorError } from '../base/problems.ts';
import { activeNumber, type ServiceState } from '../store/service-state.ts';

const move = z.strictObject({
  service: z.string(),
  deployment: z.int().min(1),
  release: z.string(),
});
/** What becomes active in one service. */
export type OrderedMove = z.infer<typeof move>;

const end = z.strictObject({
  outcome: z.enum(['done', 'refused', 'failed', 'expired', 'cancelled']),
  code: z.string(),
  detail: z.string(),
  /** Whose doing it was. */
  actor: z.string(),
  generation: z.int(),
});
export type OrderEnd = z.infer<typeof end>;

const order = z.strictObject({
  moves: z.array(move).min(1),
  /** As it was said: it has to mean the same deployments when it is due. */
  to: z.union([z.string(), z.int()]).optional(),
  /** `services` was said, also where it named one. */
  isOfSeveral: z.boolean(),
  graceMs: z.number(),
  holdMs: z.number(),
  migrate: z.string().optional(),
  force: z.boolean(),
  reason: z.string(),
  plan: z.string().optional(),
  bakeMs: z.number().optional(),
  guard: z.enum(['off', 'watch', 'rollback']).optional(),
  actor: z.string(),
  /** Of the token that ordered it; empty: it was no token. */
  tokenId: z.string(),
  orderedAtMs: z.number(),
  end: end.optional(),
});
export type Order = z.infer<typeof order>;

/** Returns the order in `text`; undefined where it is none that this version knows. */
export function parseOrder(text: string): Order | undefined {
  try {
    return order.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Returns the text of an order. */
export function printOrder(value: Order): string {
  return JSON.stringify(value);
}

/** Returns what `to` means in a service now. */
export function moveIn(state: ServiceState, to: Destination | undefined): OrderedMove {
  const { number, release } = destination(state, to ?? otherColor(state.active));
  return { service: state.name, deployment: number, release };
}

/** Throws `scheduled-stale` where the order would bring another deployment than the one it names. */
export function checkMeant(
  state: ServiceState,
  { to }: Pick<Order, 'to'>,
  meant: OrderedMove,
): void {
  if (activeNumber(state) === meant.deployment) return;
  let now: OrderedMove | undefined;
  try {
    now = moveIn(state, to);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
  }
  if (now?.deployment === meant.deployment) return;
  const { service, deployment, release } = meant;
  const name =
    release === '' ? `deployment ${deployment}` : `deployment ${deployment} (${release})`;
  const there =
    now === undefined ? 'there is none now' : `it would be deployment ${now.deployment} now`;
  throw new OperatorError(
    'scheduled-stale',
    `${service}: ${name} was meant when this was ordered, and ${there}; order it again`,
    { members: { service, deployment, now: now?.deployment ?? null } },
  );
}
