// Reads the configuration again and brings what is new into force while traffic flows: all of it at
// once, or nothing.
//
//   load ─► differences ─► may it be done here? ─► switchboard: one table with everything
//                                                  ─► what the main thread alone goes by

import { isDeepStrictEqual } from 'node:util';
import { countText } from '../../base/count-text.ts';
import { epochMs } from '../../base/clock.ts';
import { printFault, type Fault } from '../../config/fault.ts';
import { differences, type Difference } from '../../config/differences.ts';
import type { Said } from '../../config/build.ts';
import type { Loaded } from '../../config/load.ts';
import { otherColor } from '../../contract/table.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { callOf } from '../audit/call.ts';
import type { Configured, LiveConfig } from './live-config.ts';
import { AUDIT_DETAIL_CHARS_MAX, RELOAD_FAULTS_MAX } from '../base/control-limits.ts';
import type { Log } from '../base/log.ts';
import { jsonText } from '../base/json-text.ts';
import { messageOf, OperatorError } from '../base/problems.ts';
import type { Slots } from '../memory/slots.ts';
import { placesFor } from '../deployments/address-places.ts';
import { windowObjection } from '../switching/checks/switching-freeze.ts';
import { askFirst, type Objection } from '../switching/checks/ask-first.ts';
import type { ChangeRequest } from '../deployments/change-request.ts';
import { changeOf, nextEpoch, type Basis, type Change } from '../deployments/change.ts';
import { checkNotClaimed } from '../deployments/claim.ts';
import { followConfig, isFollowed, urlsOf, type Followed } from '../deployments/follow-config.ts';
import { checkNoCanary, checkNotOurs } from '../deployments/registration.ts';
import { configuredTargets } from '../targets/own-places.ts';
import type { FindPlaces, PlacedTarget } from '../targets/places.ts';
import type { SpotCheck } from '../switching/checks/spot-check.ts';
import type { HealthOf } from '../switching/checks/switch-check.ts';
import type { Switchboard } from '../switching/switchboard.ts';

export interface ReloadParts {
  /** Reads file, environment and flags as the start did; undefined: there is nothing to read. */
  readonly load: (() => Loaded) | undefined;
  readonly live: LiveConfig;
  readonly switchboard: Switchboard;
  readonly slots: Slots;
  readonly spotCheck: SpotCheck;
  readonly health: HealthOf;
  readonly findPlaces: FindPlaces;
  /** Resolves with the URLs of targets that are listeners of Turnout itself, now or with `next`. */
  readonly oursAmong: (
    targets: readonly PlacedTarget[],
    next: Configured['config'],
  ) => Promise<ReadonlySet<string>>;
  /**
   * Reads the files that `next` names, such as certificates, and resolves with warnings, or rejects as
   * `open` would; changes nothing.
   */
  readonly checkFiles: (next: Configured['config']) => Promise<readonly string[]>;
  /** Has files that are in use read again if they have changed; resolves with what is wrong with them. */
  readonly lookAtFiles: () => Promise<readonly string[]>;
  /** Opens what the main thread listens on, before anything else changes. Resolves with the rest. */
  readonly open: (next: Configured['config']) => Promise<Opened>;
  readonly audit: Pick<AuditLog, 'note'>;
  readonly log: Log;
}

/** What was opened for a configuration that is not in force yet. */
export interface Opened {
  /** What is odd about it, but no fault. */
  readonly warnings?: readonly string[];
  /** It is in force. */
  use(): void;
  /** It will not be. */
  close(): Promise<void>;
}

export interface ReloadAnswer {
  readonly changed: boolean;
  readonly differences: readonly Difference[];
  readonly warnings: readonly string[];
  readonly generation: number;
}

/** What became of the last reload that was asked for. */
export interface LastReload {
  readonly atMs: number;
  readonly actor: string;
  /** Why it was not done; empty: it was. */
  readonly problem: string;
}

export interface ReloadRequest extends ChangeRequest {
  readonly dryRun: boolean;
}

/** Settings that a process has for its life; so is the number of its workers, however it is said. */
const FIXED = /^(?:state\.dir|instance|resolve\.servers|admin\..*)$/;

export class Reloader {
  readonly #parts: ReloadParts;
  #last: LastReload | undefined;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
  }

  /** Undefined: there was none since the start. */
  get last(): LastReload | undefined {
    return this.#last;
  }

  /**
   * Reads the configuration and brings it into force. Throws `config-invalid` with all faults,
   * `restart-required`, or as every change does; then everything is as it was.
   */
  async reload(request: ReloadRequest): Promise<ReloadAnswer> {
    const { log } = this.#parts;
    const { actor, reason, dryRun } = request;
    try {
      // Those have their own pace, and an operator who asks does not wait for it.
      const isAsked = actor !== 'file' && !dryRun;
      const told = isAsked ? await this.#parts.lookAtFiles() : [];
      const done = await this.#reload(request);
      const answer = { ...done, warnings: [...done.warnings, ...told] };
      if (!dryRun) this.#last = { atMs: epochMs(), actor, problem: '' };
      if (answer.changed) {
        const { differences: changes, generation } = answer;
        log.info({ generation, actor, reason, changes }, 'a new configuration is in force');
      } else {
        // The watch looks once after each start: that is no news.
        const level = actor === 'file' ? 'debug' : 'info';
        log[level](
          { kind: 'reload', actor, reason },
          'the configuration was read again; nothing has changed',
        );
      }
      return answer;
    } catch (error) {
      const problem = messageOf(error);
      // What is tried again by itself and fails as before is no news.
      const isAgain = actor === 'file' && this.#last?.actor === actor;
      const isSame = withoutNumbers(this.#last?.problem ?? '') === withoutNumbers(problem);
      const isNews = request.call === undefined && !(isAgain && isSame);
      if (!dryRun) this.#last = { atMs: epochMs(), actor, problem };
      if (isNews) this.#note(request, error);
      throw error;
    }
  }

  /** Writes down a failed reload that the process has asked of itself; calls have their own entry. */
  #note(request: ReloadRequest, error: unknown): void {
    const { audit, switchboard, log } = this.#parts;
    const detail = cut(messageOf(error));
    const { status, code } = error instanceof OperatorError ? error : INTERNAL;
    const outcome = status >= 500 ? 'failed' : 'refused';
    const { epoch: generation } = switchboard.table;
    audit.note(callOf(request, 'reload').notes({ outcome, status, code, detail, generation }));
    const members = error instanceof OperatorError ? error.members : { err: error };
    log.error({ ...members, actor: request.actor, code }, `the reload was not done: ${detail}`);
  }

  async #reload(request: ReloadRequest): Promise<ReloadAnswer> {
    const { live, switchboard, log } = this.#parts;
    const next = this.#read();
    const found = differences(next.before, next.said);
    const same = { changed: false, differences: found, warnings: next.warnings };
    checkFixed(found, live.config.workers, next.config.workers);
    // What the start has refused is tried again, though nothing else is said.
    const isAllInForce = found.length === 0 && isFollowed(next.config.services, switchboard.states);
    if (isAllInForce) return { ...same, generation: switchboard.table.epoch };
    checkNotOurs(await this.#parts.oursAmong(configuredTargets(next.config), next.config));
    if (request.dryRun) {
      const ofFiles = await this.#parts.checkFiles(next.config);
      const basis = { ...switchboard.basis, configs: next.config.services };
      const { warnings } = await this.#follow(request, basis, next.config);
      const told = [...next.warnings, ...ofFiles, ...warnings];
      return { ...same, warnings: told, generation: switchboard.table.epoch };
    }
    const opened = await this.#parts.open(next.config);
    try {
      live.prepare(next.config);
      const detail = found.map(({ setting }) => setting).join(', ');
      const { generation, warnings } = await this.#publish(request, next, { opened, detail });
      // Not before: what is refused may be tried again every few seconds.
      const told = [...next.warnings, ...(opened.warnings ?? []), ...warnings];
      for (const warning of told) log.warn({}, warning);
      return { ...same, warnings: told, changed: true, generation };
    } catch (error) {
      live.prepare(undefined);
      await opened.close();
      throw error;
    }
  }

  #read(): Extract<Loaded, { ok: true }> & { readonly before: Said } {
    const { load, live } = this.#parts;
    const before = live.said;
    if (load === undefined || before === undefined) {
      throw new OperatorError(
        'reload-unavailable',
        'it is not known how this program was configured',
      );
    }
    const loaded = load();
    if (loaded.ok) return { ...loaded, before };
    throw invalid(loaded.faults);
  }

  async #publish(
    request: ReloadRequest,
    { config, said }: Configured,
    { opened, detail }: { readonly opened: Opened; readonly detail: string },
  ): Promise<Pick<ReloadAnswer, 'generation' | 'warnings'>> {
    const { live, switchboard } = this.#parts;
    const before = live.config.dataPlane;
    const settings = isDeepStrictEqual(config.dataPlane, before) ? undefined : config.dataPlane;
    let warnings: readonly string[] = [];
    const decide = async (basis: Basis): Promise<Change> => {
      const next = { ...basis, configs: config.services };
      const followed = await this.#follow(request, next, config);
      warnings = followed.warnings;
      // Settings make another table. A decision is what becomes of services and deployments.
      const isSilent = followed.isSilent && hasAll(config.services, live.config.services);
      const generation = isSilent ? basis.stored.epoch : nextEpoch(next);
      const answer = { changed: true, generation };
      const end = { outcome: 'done', status: 200, generation, detail: cut(detail) } as const;
      const notes = callOf(request, 'reload').notes({ ...end, body: jsonText(answer) });
      return changeOf(next, { ...followed, settings, isSilent }, { answer, notes });
    };
    const generation = await switchboard.reconfigure(request, decide, () => {
      live.use({ config, said });
      opened.use();
    });
    return { generation, warnings };
  }

  /** Returns what follows from the configuration; throws the first thing that is refused. */
  async #follow(
    request: ReloadRequest,
    basis: Basis,
    config: Pick<Configured['config'], 'targets' | 'freezes' | 'services'>,
  ): Promise<Followed> {
    const { allow } = config.targets;
    const { live, switchboard, slots, spotCheck, health, findPlaces } = this.#parts;
    const { stored, configs } = basis;
    const policies = new Map(configs.map(({ name, policy }) => [name, policy]));
    const { states, table } = switchboard;
    for (const { name } of live.config.services) {
      const state = stored.services.get(name);
      if (state === undefined || policies.has(name)) continue;
      // One that is removed would take its canary along, and its rollout would move nothing.
      checkNoCanary(state, otherColor(state.active));
      checkNotClaimed(state);
    }
    const placesOf = await placesFor(
      configs.flatMap(({ blue, green }) => [...urlsOf(blue.targets), ...urlsOf(green.targets)]),
      { states: states.values(), table },
      findPlaces,
    );
    const follow = (objection: Objection): Followed => {
      const followed = followConfig(configs, {
        stored,
        epoch: nextEpoch(basis),
        nowMs: epochMs(),
        placesOf,
        allow,
        policyOf: (service) => policies.get(service)!,
        actor: request.actor,
        request,
        objection,
      });
      const [refusal] = followed.refusals;
      if (refusal !== undefined) throw refusal.error;
      return followed;
    };
    const followed = follow(() => undefined);
    if (followed.toAsk.length === 0) return followed;
    for (const { service } of followed.toAsk) switchboard.freeze.check(service);
    const asking = { configs, states: stored.services, slots, spotCheck, health };
    const inWindow = windowObjection(config, epochMs());
    // What a window refuses is not asked: its targets may not run yet.
    follow(inWindow);
    const objection = await askFirst(followed, asking);
    return follow((service) => inWindow(service) ?? objection(service));
  }
}

interface Named {
  readonly name: string;
}

/** Every service of `before` is in `after`, too. */
function hasAll(after: readonly Named[], before: readonly Named[]): boolean {
  const names = new Set(after.map(({ name }) => name));
  return before.every(({ name }) => names.has(name));
}

const INTERNAL = { status: 500, code: 'internal' } as const;

function cut(text: string): string {
  return text.slice(0, AUDIT_DETAIL_CHARS_MAX);
}

/** A refusal may say how long something still takes. */
function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+/g, '0');
}

function checkFixed(found: readonly Difference[], workers: number, wanted: number): void {
  const settings = found.map(({ setting }) => setting).filter((setting) => FIXED.test(setting));
  const told = [...settings];
  // It may follow from another setting, such as a listener on a Unix socket.
  if (workers !== wanted) {
    settings.push('workers');
    told.push(`workers (${workers} now, ${wanted} with the new settings)`);
  }
  if (settings.length === 0) return;
  throw new OperatorError(
    'restart-required',
    `${told.join(', ')} cannot change while this process runs; nothing has changed: ` +
      '`turnout upgrade` (or a restart) takes the whole file over',
    { members: { settings } },
  );
}

function invalid(faults: readonly Fault[]): OperatorError {
  const told = faults.slice(0, RELOAD_FAULTS_MAX).map(printFault);
  const detail = `${countText(faults.length, 'fault')}, nothing has changed: ${told[0]}`;
  return new OperatorError('config-invalid', detail, { members: { faults: told } });
}
