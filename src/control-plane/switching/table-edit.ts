// Pure: a routing table and a decision → the next routing table. Whether the decision may be made
// is checked before. Only a start, a reload and the process before an upgrade make tables elsewhere.

import type {
  Color,
  Draining,
  Hold,
  LockOut,
  Maintenance,
  RoutingTable,
  Service,
  Side,
} from '../../contract/table.ts';

/** What changes in one service. */
export type Edit = (service: Service, generation: number) => Service;

/** Returns the table after `edit` of the service `name`. */
export function edited(
  table: RoutingTable,
  generation: number,
  name: string,
  edit: Edit,
): RoutingTable {
  const services = table.services.map((service) =>
    service.name === name ? edit(service, generation) : service,
  );
  return { generation, services };
}

/** What was decided about one change of the active color. */
export interface SwitchDecision {
  readonly to: Color;
  /** What shall be active: the side of the color, or an earlier one that comes back. */
  readonly side: Side;
  /** The sessions of the other color move over at once. */
  readonly movesSessions: boolean;
  /** Locks out the release that is left; undefined: it stays as good as it was. */
  readonly lockOut: Omit<LockOut, 'atMs' | 'generation'> | undefined;
}

/** A decision at the moment when it is carried out. */
export interface SwitchTerms extends SwitchDecision {
  readonly nowMs: number;
  /** Tunnels and event streams that are open on the color that is left. */
  readonly longLivedCount: number;
}

/** `terms.to` becomes active; what was active drains. */
export function switched(terms: SwitchTerms): Edit {
  const { to, side, nowMs, movesSessions, longLivedCount, lockOut } = terms;
  return (service, generation) => {
    const left = service[service.active];
    const { affinity, drain } = service.policy;
    const hasSessions = affinity.mode !== 'off' && !movesSessions;
    const sessionsUntilMs = hasSessions ? nowMs + drain.sessionsMs : nowMs;
    const draining: Draining = {
      generation: service.since,
      resumed: service.resumed,
      side: left,
      startedAtMs: nowMs,
      sessionsUntilMs,
      endsAtMs: endOf(service, sessionsUntilMs, longLivedCount),
      longLived: drain.longLived,
    };
    // A side that comes back is not draining any more: what it still has, it keeps.
    const others = service.draining.filter((one) => one.side.block !== side.block);
    const back = service.draining.filter((one) => one.side.block === side.block);
    const resumed = back.flatMap((one) => [...one.resumed, one.generation]);
    return {
      ...service,
      active: to,
      since: generation,
      // The oldest have the oldest sessions, which end first by their age.
      resumed: resumed.slice(-RESUMED_MAX),
      [to]: { ...side, hasServed: true, lockedOut: undefined },
      [left.color]: {
        ...left,
        lockedOut: lockOut && { ...lockOut, atMs: nowMs, generation },
      },
      hold: undefined,
      draining: left.endpoints.length === 0 ? others : [...others, draining],
    };
  };
}

/** Returns when what is left of a generation is cut, if its sessions end at `sessionsUntilMs`. */
function endOf({ policy }: Service, sessionsUntilMs: number, longLivedCount: number): number {
  const { requestsMs, streamsMs, closesPerSecond } = policy.drain;
  // Closing takes as long as the limit of closes makes it take.
  const closingMs = closesPerSecond === 0 ? 0 : (longLivedCount / closesPerSecond) * 1_000;
  return Math.ceil(sessionsUntilMs + Math.max(requestsMs, streamsMs, closingMs) + CLOSING_GRACE_MS);
}

/** Generations that one side may answer for: as many switches back within the life of a session. */
export const RESUMED_MAX = 64;

/** For goodbyes that are on their way when the time is up. */
const CLOSING_GRACE_MS = 10_000;

/** Another release takes the place of the one on an idle color. */
export function registered(side: Side, evicted: ReadonlySet<number>, nowMs: number): Edit {
  return (service) => evict({ ...service, [side.color]: side }, evicted, nowMs);
}

/** Sessions of these generations move over now, their connections close, requests finish. */
export function evictedFrom(generations: ReadonlySet<number>, nowMs: number): Edit {
  return (service) => evict(service, generations, nowMs);
}

function evict(service: Service, generations: ReadonlySet<number>, nowMs: number): Service {
  const draining = service.draining.map((one): Draining => {
    if (!generations.has(one.generation) || one.sessionsUntilMs <= nowMs) return one;
    const endsAtMs = endOf(service, nowMs, 0);
    return { ...one, sessionsUntilMs: nowMs, endsAtMs, longLived: 'cut' };
  });
  return { ...service, draining };
}

/** Nothing is left of these generations, or their time is up. */
export function ended(generations: ReadonlySet<number>): Edit {
  return (service) => ({
    ...service,
    draining: service.draining.filter((one) => !generations.has(one.generation)),
  });
}

/** The release on `color` may be switched to again. */
export function unlocked(color: Color): Edit {
  return (service) => ({ ...service, [color]: { ...service[color], lockedOut: undefined } });
}

export function held(hold: Hold | undefined): Edit {
  return (service) => ({ ...service, hold });
}

export function maintained(maintenance: Maintenance | undefined): Edit {
  return (service) => ({ ...service, maintenance });
}
