// A change of the data in the middle of a switch that holds requests: a gate of the configuration with
// `at: hold`, asked once nothing runs any more. Only `ok` lets the switch be made. Which program or
// receiver is behind it, and that it ends when it is called off, is the business of the gate.

import { setTimeout as sleep } from 'node:timers/promises';
import { epochMs } from '../../../base/clock.ts';
import { otherColor, type Color } from '../../../contract/table.ts';
import type { Log } from '../../base/log.ts';
import { OperatorError } from '../../base/problems.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import { destination } from '../../deployments/destination.ts';
import {
  activeNumber,
  colorWith,
  deploymentOf,
  type ServiceState,
} from '../../store/service-state.ts';

/** A deployment that traffic leaves or goes to. */
interface Side {
  readonly deployment: number;
  readonly release: string;
  readonly color: Color;
}

interface Subject {
  readonly service: string;
  readonly from: Side;
  readonly to: Side & { readonly targets: readonly string[] };
}

interface MigrationResult {
  readonly verdict: 'ok' | 'fail' | 'later' | 'error';
  readonly detail: string;
  /** With `later`: when to ask again. */
  readonly retryAfterMs?: number;
}

/** What a migration is asked about. */
export interface AskedMigration extends Pick<ChangeRequest, 'actor' | 'reason'> {
  /** Service that has it in its configuration. */
  readonly service: string;
  readonly name: string;
  /** The same for each try of one switch, another for the next switch. */
  readonly attempt: string;
  readonly subjects: readonly Subject[];
}

export interface MigrationHands {
  /** Names of the gates with `at: hold`, as they are configured now. */
  readonly namesOf: (service: string) => readonly string[];
  /** Asks once. Never rejects; resolves at once when `signal` aborts. */
  readonly ask: (asked: AskedMigration, signal: AbortSignal) => Promise<MigrationResult>;
}

/** A service that moves, and the number of the deployment that it moves to. */
interface Move {
  readonly state: ServiceState;
  readonly to: number;
}

/** Between two tries, where the gate says `later` and not when. */
const RETRY_MS = 1_000;

export class Migrations {
  readonly #hands: MigrationHands;
  readonly #log: Log;

  constructor(hands: MigrationHands, log: Log) {
    this.#hands = hands;
    this.#log = log;
  }

  /** Throws where the name means no migration of these services, or several, or where no request waits. */
  check(
    states: readonly Pick<ServiceState, 'name'>[],
    { name, holdMs }: { readonly name: string; readonly holdMs: number },
  ): void {
    this.#ownerOf(states, name);
    if (holdMs === 0) throw migrateNeedsHold();
  }

  /** Resolves when the data have changed; rejects with `gate-failed` otherwise. */
  async run(
    moves: readonly Move[],
    { actor, reason }: ChangeRequest,
    {
      name,
      signal,
      byMs,
    }: { readonly name: string; readonly signal: AbortSignal; readonly byMs: number },
  ): Promise<void> {
    const service = this.#ownerOf(
      moves.map(({ state }) => state),
      name,
    );
    const attempt = crypto.randomUUID();
    const subjects = moves.map(subjectOf);
    const asked: AskedMigration = { service, name, attempt, subjects, actor, reason };
    const fields = { service, migration: name, attempt };
    this.#log.info({ ...fields, actor }, `${service}: migration ${name} begins`);
    const result = await this.#result(asked, { signal, byMs });
    signal.throwIfAborted();
    const { verdict, detail } = result;
    if (verdict === 'ok') {
      this.#log.info({ ...fields, verdict, detail }, `${service}: migration ${name} is done`);
      return;
    }
    this.#log.warn({ ...fields, verdict, detail }, `${service}: migration ${name} failed`);
    throw new OperatorError(
      'gate-failed',
      `the migration ${name} of ${service}: ${detail}; ` +
        'the requests that waited went on as before, nothing was switched',
      { members: { service, gate: name, verdict, detail } },
    );
  }

  /** Asks until there is a result, or no time is left. */
  async #result(
    asked: AskedMigration,
    { signal, byMs }: { readonly signal: AbortSignal; readonly byMs: number },
  ): Promise<MigrationResult> {
    const deadline = AbortSignal.timeout(Math.max(0, byMs - epochMs()));
    const either = AbortSignal.any([signal, deadline]);
    for (;;) {
      const result = await this.#hands.ask(asked, either);
      if (deadline.aborted) return LATE;
      if (result.verdict !== 'later') return result;
      const { retryAfterMs = RETRY_MS } = result;
      await sleep(retryAfterMs, undefined, { signal: either }).catch(() => {});
      if (either.aborted) return LATE;
    }
  }

  /** Returns the service in whose configuration `name` stands. */
  #ownerOf(states: readonly Pick<ServiceState, 'name'>[], name: string): string {
    const names = states.map((state) => state.name);
    const owners = names.filter((service) => this.#hands.namesOf(service).includes(name));
    const [owner] = owners;
    if (owner === undefined) {
      throw new OperatorError(
        'gate-unknown',
        `no gate ${name} with "at: hold" is configured for ${names.join(', ')}`,
      );
    }
    if (owners.length === 1) return owner;
    throw new OperatorError(
      'body-invalid',
      `migrate: ${owners.join(' and ')} have a gate ${name}; one of the services may have it`,
    );
  }
}

/** Returns what refuses a migration while requests run. */
export function migrateNeedsHold(): OperatorError {
  return new OperatorError(
    'body-invalid',
    '"migrate" needs "hold": data are changed while no request runs',
  );
}

const LATE: MigrationResult = { verdict: 'error', detail: 'it was not done before the hold ended' };

function subjectOf({ state, to }: Move): Subject {
  const active = activeNumber(state);
  const { release: left = '' } = deploymentOf(state, active) ?? {};
  const { number, release, urls } = destination(state, to);
  const color = colorWith(state, number) ?? otherColor(state.active);
  return {
    service: state.name,
    from: { deployment: active, release: left, color: state.active },
    to: { deployment: number, release, color, targets: urls },
  };
}
