// Durable state in one SQLite file of the state directory. One process owns it: the locks are the
// kernel's, so a killed process leaves none behind. Nothing is written when the file that is open is no
// longer the one that the next start would find.

import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { InvariantError } from '../../../base/assert.ts';
import { lockDir, type DirLock } from './dir-lock.ts';
import { DATABASE_FILE, GuardedDatabase } from './guarded-database.ts';
import { HISTORY_LIMIT_MAX } from '../../../api/api-limits.ts';
import { checkTrusted, openDirectory } from '../../base/file-trust.ts';
import type { Log } from '../../base/log.ts';
import { messageOf } from '../../base/problems.ts';
import { SqliteAnswers } from './sqlite-answers.ts';
import { SqliteAudit } from './sqlite-audit.ts';
import {
  asStartError,
  closeDatabase,
  inUse,
  makeDir,
  openDatabase,
  replaceDamaged,
  replaceMissing,
  type OpenDatabase,
} from './sqlite-file.ts';
import { SqliteEvents } from './sqlite-events.ts';
import { SqlitePoints } from './sqlite-points.ts';
import { SqliteRollouts } from './sqlite-rollouts.ts';
import { SqliteSwitches } from './sqlite-switches.ts';
import { SqliteSchedules } from './sqlite-schedules.ts';
import type { OrderNotes, ScheduleStore } from '../schedule-store.ts';
import { SqliteTokens } from './sqlite-tokens.ts';
import { DamageError, isDamage } from './store-fault.ts';
import { StoreCopy } from './store-copy.ts';
import type { EventStore, PointStore, RolloutStore, StoredRollout } from '../rollout-store.ts';
import { parseState, printState, type ServiceState } from '../service-state.ts';
import {
  type AnswerStore,
  type CommitOutcome,
  type CommitTerms,
  type Freeze,
  type HistoryEntry,
  type Notes,
  type Store,
  type StoredChange,
  type StoredState,
  type TokenStore,
} from '../store.ts';

/**
 * Opens (or makes) the store in `dir`. Where its file is missing, empty or damaged, the last good copy
 * takes its place; `warning` tells of it. Throws StartError when the directory cannot be used, belongs
 * to a running process or was written by a newer version.
 */
export function openSqliteStore(dir: string, log: Log): Store {
  makeDir(dir);
  const lock = lockDir(dir);
  if (lock === undefined) throw inUse(dir);
  try {
    return openLocked(dir, log, lock);
  } catch (error) {
    lock.release();
    throw asStartError(error, dir);
  }
}

/** What a start reads. */
const FILES = ['', '-wal', '.good'].map((suffix) => DATABASE_FILE + suffix);

function openLocked(dir: string, log: Log, lock: DirLock): Store {
  const path = join(dir, DATABASE_FILE);
  const open = openDirectory(dir);
  if (open !== undefined) log.warn({}, open);
  for (const one of FILES) checkTrusted(join(dir, one));
  let replaced = replaceMissing(path);
  // Twice at most: the file itself and its copy can be damaged, a new file is not.
  for (;;) {
    try {
      const open = openDatabase(path);
      try {
        return new SqliteStore({ open, lock, warning: replaced?.told, log, dir });
      } catch (error) {
        closeDatabase(open);
        throw error;
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      const { isCopy = false } = replaced ?? {};
      replaced = replaceDamaged(path, { cause: messageOf(error), isCopy });
    }
  }
}

interface SqliteStoreParts {
  readonly open: OpenDatabase;
  readonly lock: DirLock;
  /** What was wrong with the file. */
  readonly warning: string | undefined;
  readonly log: Log;
  readonly dir: string;
}

class SqliteStore implements Store {
  readonly warning: string | undefined;
  readonly audit: SqliteAudit;
  readonly answers: AnswerStore;
  readonly tokens: TokenStore;
  readonly rollouts: RolloutStore;
  readonly points: PointStore;
  readonly events: EventStore;
  readonly schedules: ScheduleStore;
  readonly #guarded: GuardedDatabase;
  readonly #statements: Statements;
  readonly #answers: SqliteAnswers;
  readonly #switches: SqliteSwitches;
  readonly #rollouts: SqliteRollouts;
  readonly #events: SqliteEvents;
  #state: StoredState;

  /** Throws where what is stored makes no sense: better now than at the next switch. */
  constructor(parts: SqliteStoreParts) {
    const { database } = parts.open;
    this.#statements = prepareStatements(database);
    this.audit = new SqliteAudit(database);
    this.#answers = new SqliteAnswers(database);
    this.answers = {
      find: (key, sinceMs) => this.#answers.find(key, sinceMs),
      complete: async (key, body) => this.#guarded.lossy(() => this.#answers.complete(key, body)),
    };
    this.tokens = this.#tokenStore(new SqliteTokens(database));
    this.#switches = new SqliteSwitches(database);
    this.#rollouts = new SqliteRollouts(database);
    this.#events = new SqliteEvents(database);
    this.rollouts = this.#rolloutStore();
    this.points = this.#pointStore(new SqlitePoints(database));
    this.events = this.#eventStore();
    this.schedules = this.#scheduleStore(new SqliteSchedules(database));
    this.#state = this.#read();
    this.history({ service: undefined, limit: HISTORY_LIMIT_MAX });
    this.warning = tellBeginning(parts, this.#state.epoch);
    this.#guarded = new GuardedDatabase(parts);
  }

  get fault(): string | undefined {
    return this.#guarded.fault;
  }

  get state(): StoredState {
    return this.#state;
  }

  #read(): StoredState {
    const position = this.#statements.position.get();
    const services = this.#statements.services.all().map((row) => stateOf(row['state']));
    const query = { service: undefined, isOver: false, limit: -1 };
    const rollouts = this.#rollouts.latest(query).toReversed();
    return {
      epoch: Number(position?.['epoch'] ?? 0),
      nextDeployment: Number(position?.['next_deployment'] ?? 1),
      services: new Map(services.map((service) => [service.name, service])),
      freeze: freezeOf(this.#statements.freeze.get()),
      rollouts: new Map(rollouts.map((one) => [one.id, one])),
    };
  }

  async commit(change: StoredChange, { expected }: CommitTerms): Promise<CommitOutcome> {
    const { epoch, nextDeployment, services, records, notes, rollouts = [], events = [] } = change;
    const found = this.#guarded.transaction(() => {
      const before = Number(this.#statements.position.get()?.['epoch'] ?? 0);
      if (before !== expected) return before;
      this.#statements.setPosition.run(epoch, nextDeployment);
      for (const state of services) this.#statements.setService.run(state.name, printState(state));
      if (notes !== undefined) this.#addNotes(notes);
      this.#switches.add(records);
      for (const rollout of rollouts) this.#rollouts.put(rollout);
      for (const event of events) this.#events.append(event);
      return undefined;
    });
    if (found !== undefined) return { kind: 'lost', epoch: found };
    this.#state = after(this.#state, change);
    return { kind: 'committed' };
  }

  async outcomeOf(): Promise<CommitOutcome> {
    throw new InvariantError('a file always knows what became of a change');
  }

  async setFreeze(freeze: Freeze | undefined, notes: Notes): Promise<void> {
    this.#guarded.transaction(() => {
      const { clearFreeze, setFreeze } = this.#statements;
      clearFreeze.run();
      if (freeze !== undefined) setFreeze.run(freeze.reason, freeze.actor, freeze.atMs);
      this.#addNotes(notes);
    });
    this.#state = { ...this.#state, freeze };
  }

  async recordTook(epoch: number, tookMs: number): Promise<void> {
    // Worth knowing, not worth a wait for the disk: it may be lost, the switch may not.
    this.#guarded.lossy(() => this.#switches.setTook(epoch, tookMs));
  }

  async note(notes: Notes, { mayBeLost }: { readonly mayBeLost: boolean }): Promise<void> {
    if (mayBeLost) this.#guarded.lossy(() => this.#addNotes(notes));
    else this.#guarded.transaction(() => this.#addNotes(notes));
  }

  history({ service, limit }: { service: string | undefined; limit: number }): HistoryEntry[] {
    return this.#switches.latest(service, limit);
  }

  async close(): Promise<void> {
    await this.#guarded.close();
  }

  #tokenStore(tokens: SqliteTokens): TokenStore {
    return {
      all: () => tokens.all(),
      add: async (token, notes) =>
        this.#guarded.transaction(() => {
          tokens.add(token);
          this.#addNotes(notes);
        }),
      revoke: async (id, atMs, notes) =>
        this.#guarded.transaction(() => {
          tokens.revoke(id, atMs);
          this.#addNotes(notes);
        }),
      touch: async (id, atMs) => this.#guarded.lossy(() => tokens.touch(id, atMs)),
    };
  }

  #rolloutStore(): RolloutStore {
    return {
      save: async (rollout, { events, notes, mayBeLost = false }) => {
        const write = (): void => {
          this.#rollouts.put(rollout);
          for (const event of events) this.#events.append(event);
          if (notes !== undefined) this.#addNotes(notes);
        };
        if (mayBeLost) this.#guarded.lossy(write);
        else this.#guarded.transaction(write);
        this.#state = { ...this.#state, rollouts: withRollouts(this.#state.rollouts, [rollout]) };
      },
      find: (id) => this.#rollouts.find(id),
      latest: (query) => this.#rollouts.latest(query),
    };
  }

  #pointStore(points: SqlitePoints): PointStore {
    return {
      add: async (drafts) =>
        this.#guarded.lossy(() => {
          for (const draft of drafts) points.write(draft);
        }),
      of: (rollout) => points.of(rollout),
    };
  }

  #eventStore(): EventStore {
    const events = this.#events;
    return {
      add: async (drafts) =>
        this.#guarded.lossy(() => {
          for (const draft of drafts) events.append(draft);
        }),
      after: (seq, limit) => events.after(seq, limit),
      ofRollout: (rollout, limit) => events.ofRollout(rollout, limit),
      last: () => events.last(),
      delivered: (sink) => events.delivered(sink),
      setDelivered: async (sink, seq) => this.#guarded.lossy(() => events.setDelivered(sink, seq)),
    };
  }

  #scheduleStore(schedules: SqliteSchedules): ScheduleStore {
    return {
      add: async (order, noted) =>
        this.#guarded.transaction(() => {
          const id = schedules.add(order);
          this.#addOrderNotes(noted(id));
          return id;
        }),
      save: async (order, notes) =>
        this.#guarded.transaction(() => {
          schedules.put(order);
          this.#addOrderNotes(notes);
        }),
      pending: () => schedules.pending(),
      over: (limit) => schedules.over(limit),
      find: (id) => schedules.find(id),
    };
  }

  #addOrderNotes({ events = [], ...notes }: OrderNotes): void {
    for (const event of events) this.#events.append(event);
    this.#addNotes(notes);
  }

  #addNotes({ audit, answer }: Notes): void {
    if (audit !== undefined) this.audit.append(audit);
    if (answer !== undefined) this.#answers.add(answer);
  }
}

/** Returns what is so once `change` was made. */
function after(
  { services, freeze, rollouts }: StoredState,
  { epoch, nextDeployment, services: changed, rollouts: moved = [] }: StoredChange,
): StoredState {
  const states = new Map(services);
  for (const state of changed) states.set(state.name, state);
  const running = withRollouts(rollouts, moved);
  return { epoch, nextDeployment, services: states, freeze, rollouts: running };
}

/** Returns the rollouts that are not over once `moved` are as they are now. */
function withRollouts(
  before: StoredState['rollouts'],
  moved: readonly StoredRollout[],
): StoredState['rollouts'] {
  if (moved.length === 0) return before;
  const after = new Map(before);
  for (const rollout of moved) {
    if (rollout.endedAtMs === undefined) after.set(rollout.id, rollout);
    else after.delete(rollout.id);
  }
  return after;
}

/** Tells of what was found at the start; returns what an operator must know of it. */
function tellBeginning(
  { open, warning, log, dir }: SqliteStoreParts,
  epoch: number,
): string | undefined {
  const path = join(dir, DATABASE_FILE);
  const newer = StoreCopy.keepNewer(path, epoch);
  if (open.keptAs !== undefined) {
    const way = `the version before needs it as it was, which is kept as ${open.keptAs}`;
    log.info({ dir }, `the state file was brought up to date; ${way}`);
  }
  if (warning !== undefined || newer !== undefined) {
    const told = [warning, newer].filter((one) => one !== undefined).join('; ');
    log.error({ warning: told }, 'THE STATE FILE WAS NOT AS IT WAS LEFT');
    return told;
  }
  if (epoch === 0) {
    const looked = `${path} and ${path}.good`;
    log.info({ dir }, `no state was found (looked for ${looked}): the configuration is used`);
  }
  return undefined;
}

type Statements = ReturnType<typeof prepareStatements>;

function prepareStatements(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    position: prepare('SELECT epoch, next_deployment FROM position'),
    setPosition: prepare(
      `INSERT INTO position (id, epoch, next_deployment) VALUES (1, ?, ?)
       ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, next_deployment = excluded.next_deployment`,
    ),
    services: prepare('SELECT state FROM services'),
    setService: prepare(
      `INSERT INTO services (name, state) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET state = excluded.state`,
    ),
    // One row, or none.
    freeze: prepare('SELECT reason, actor, at_ms FROM freeze'),
    clearFreeze: prepare('DELETE FROM freeze'),
    setFreeze: prepare('INSERT INTO freeze (id, reason, actor, at_ms) VALUES (1, ?, ?, ?)'),
  };
}

function freezeOf(row: Readonly<Record<string, unknown>> | undefined): Freeze | undefined {
  if (row === undefined) return undefined;
  return {
    reason: String(row['reason']),
    actor: String(row['actor']),
    atMs: Number(row['at_ms']),
  };
}

function stateOf(value: unknown): ServiceState {
  const state = parseState(String(value));
  if (state === undefined) throw new DamageError('the state of a service cannot be read');
  return state;
}
