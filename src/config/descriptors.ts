// How many client connections fit into the file descriptors of the process, so that a flood of them
// takes none from operators, health checks and the connections to targets.

/** For the state, event loops, health checks and a handful of operators. */
const OWN_DESCRIPTORS = 64;

/**
 * For as many connections as the admin API and the metrics listener take; where there are few
 * descriptors, a part of them: a flood there must not take those of clients and targets.
 */
export const OPERATOR_DESCRIPTORS_MAX = 512;
const OPERATOR_SHARE = 1 / 8;

/** For the event loop and the listeners of a worker. */
const WORKER_DESCRIPTORS = 16;

export interface Demand {
  /** Client connections that one worker should take. */
  readonly connections: number;
  /** Connections that one worker may have to all targets together. */
  readonly toTargets: number;
  readonly workers: number;
}

/** Returns how many client connections one worker can take with `descriptors` in the process. */
export function connectionsThatFit(
  { connections, toTargets, workers }: Demand,
  descriptors: number,
): number {
  const forOperators = Math.min(OPERATOR_DESCRIPTORS_MAX, descriptors * OPERATOR_SHARE);
  const left = (descriptors - OWN_DESCRIPTORS - forOperators) / workers - WORKER_DESCRIPTORS;
  // A client needs at most one connection to a target.
  const forTargets = Math.min(left / 2, toTargets);
  return Math.max(1, Math.min(connections, Math.floor(left - forTargets)));
}

/** Returns the limit that `/proc/self/limits` names; Infinity when it names none. */
export function descriptorLimit(limits: string): number {
  const soft = /^Max open files +(\d+) /m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}
