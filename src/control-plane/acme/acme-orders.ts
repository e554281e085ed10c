// Certificates that renew themselves: keeps one for each configured domain, orders it when it is due,
// and never orders anything else. One certificate for each domain, so that a name that cannot be proven
// holds up no other. Knows no worker and no listener: the keeper of certificates brings them what is here.

import { epochMs } from '../../base/clock.ts';
import type { AcmeChallenge } from '../../contract/certificates.ts';
import { background, type Log } from '../base/log.ts';
import { messageOf } from '../base/problems.ts';
import { timers as realTimers, type Timers } from '../base/timers.ts';
import { AcmeAccounts } from './acme-accounts.ts';
import { AcmeDomain } from './acme-domain.ts';
import type { AcmeFiles, ObtainedCertificate } from './acme-files.ts';
import type {
  AcmeCertificate,
  AcmeKeeper,
  AcmeSettings,
  AcmeStatus,
  OrderOutcome,
} from './acme-types.ts';
import { ownProblem } from './authority-answer.ts';
import { readIssued } from './issued-certificate.ts';
import { orderFileFaults } from './order-files.ts';
import type { OrderProblem } from './order-messages.ts';
import type { Life } from './renewal-times.ts';
import { runOrder, type OrderEnd, type OrderRun } from './order-run.ts';
import { selfSigned, type KeyPair } from './self-signed.ts';

/** Orders that run at once: each is a process of 100 MB, and authorities do not like crowds. */
const ORDERS_MAX = 2;
/** How often it is looked what is due: a clock that was set, or a machine that slept, is seen by then. */
const LOOK_MAX_MS = 60_000;
const LOOK_MIN_MS = 100;
/** Of a self-signed certificate: no client believes it, so it need not be renewed while a process lives. */
const PLACEHOLDER_LIFE_MS = 365 * 86_400_000;
/** Clocks of clients that are a little behind. */
const BACKDATED_MS = 3_600_000;

export interface AcmeParts {
  /** As they are at the start; undefined: nothing is ordered. */
  readonly settings: AcmeSettings | undefined;
  readonly files: Pick<AcmeFiles, 'account' | 'writeAccount' | 'domain' | 'writeDomain'>;
  readonly keeper: AcmeKeeper;
  readonly log: Log;
  readonly nowMs?: () => number;
  readonly timers?: Timers;
  /** From 0 to 1. */
  readonly chance?: () => number;
  readonly run?: typeof runOrder;
}

export class AcmeOrders {
  readonly #parts: Required<AcmeParts>;
  #settings: AcmeSettings | undefined;
  #domains: ReadonlyMap<string, AcmeDomain> = new Map();
  /** By name: a domain that went and came back is not ordered twice. */
  readonly #runs = new Map<string, { readonly domain: AcmeDomain; readonly run: OrderRun }>();
  /** Orders until what became of them is stored. */
  readonly #underWay = new Set<Promise<void>>();
  readonly #challenges = new Map<AcmeDomain, AcmeChallenge>();
  readonly #accounts: AcmeAccounts;
  readonly #unsaved = new Set<AcmeDomain>();
  #selfSigned: { readonly names: string; readonly pair: KeyPair } | undefined;
  /** Faults of files that were told. */
  #toldFaults: readonly string[] = [];
  #isStarted = false;
  #takeBackLook = (): void => {};
  readonly counts: Record<OrderOutcome, number> = { obtained: 0, failed: 0 };

  constructor(parts: AcmeParts) {
    const spare = { nowMs: epochMs, timers: realTimers, chance: Math.random, run: runOrder };
    this.#parts = { ...spare, ...parts };
    this.#settings = parts.settings;
    this.#accounts = new AcmeAccounts(parts.files, parts.log);
    this.#read();
  }

  /** What listeners present: what was obtained, and a self-signed certificate for what was not yet. */
  get certificates(): readonly AcmeCertificate[] {
    return this.#certificatesOf([...this.#domains.values()]);
  }

  #certificatesOf(domains: readonly AcmeDomain[]): readonly AcmeCertificate[] {
    const obtained = domains.flatMap(({ name, certificate }) =>
      // One that has ended is kept: it may be the clock of this machine that is wrong.
      certificate === undefined ? [] : [presented(name, certificate, false)],
    );
    const missing = domains.filter((one) => one.certificate === undefined).map(({ name }) => name);
    const [first] = missing;
    if (first === undefined) return obtained;
    return [...obtained, presented(first, this.#selfSignedFor(missing), true)];
  }

  /** Begins to order. Only one process may do so: in an upgrade, the one that is in charge. */
  start(): void {
    this.#isStarted = true;
    this.#read(); // The process before this one may have got some meanwhile.
    this.#tellOfMissing();
    this.#tellOfFiles();
    this.#publish();
    this.#look();
  }

  /** Calls off what runs, and resolves when it has ended. Can be started again. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#takeBackLook();
    for (const { run } of this.#runs.values()) run.callOff();
    await Promise.allSettled(this.#underWay);
  }

  /**
   * Resolves when workers have something to present for the domains of other settings, too, so that a
   * listener may open for them. Orders nothing; `follow` comes next, with these settings or the old ones.
   */
  async prepare(settings: AcmeSettings | undefined): Promise<void> {
    const names = new Set([...this.#domains.keys(), ...(settings?.domains ?? [])]);
    const both = [...names].map((name) => this.#domains.get(name) ?? this.#open(name));
    await this.#parts.keeper.setObtained(this.#certificatesOf(both));
  }

  /**
   * Takes new settings, or the same: then what waits after a failure is tried again soon. What is not
   * configured any more is called off and not presented; its certificate stays on the disk.
   */
  follow(settings: AcmeSettings | undefined): void {
    const isOther = settings?.ca !== this.#settings?.ca;
    this.#settings = settings;
    const before = this.#domains;
    const names = settings?.domains ?? [];
    this.#domains = new Map(names.map((name) => [name, before.get(name) ?? this.#open(name)]));
    for (const { domain, run } of this.#runs.values()) {
      if (isOther || this.#domains.get(domain.name) !== domain) run.callOff();
    }
    for (const domain of this.#domains.values()) domain.hurry();
    if (!this.#isStarted) return;
    this.#tellOfMissing(before);
    this.#tellOfFiles();
    this.#publish();
    this.#look();
  }

  status(): readonly AcmeStatus[] {
    const ca = this.#settings?.ca ?? '';
    const nowMs = this.#parts.nowMs();
    return [...this.#domains.values()].map((domain) => domain.status(ca, nowMs));
  }

  #read(): void {
    const names = this.#settings?.domains ?? [];
    this.#domains = new Map(names.map((name) => [name, this.#open(name)]));
  }

  /** What the files do not know yet is known here. */
  #open(name: string): AcmeDomain {
    const known =
      this.#runs.get(name)?.domain ?? [...this.#unsaved].find((domain) => domain.name === name);
    return known ?? new AcmeDomain(name, this.#parts.files.domain(name));
  }

  #look(): void {
    this.#takeBackLook();
    if (!this.#isStarted || this.#settings === undefined) return;
    const { nowMs, timers } = this.#parts;
    for (const domain of this.#unsaved) this.#save(domain);
    for (const domain of this.#domains.values()) domain.see(nowMs());
    const { ca } = this.#settings;
    const waiting = [...this.#domains.values()]
      .filter(({ name }) => !this.#runs.has(name))
      .map((domain) => ({ domain, dueMs: domain.dueMs(ca) }))
      .toSorted((a, b) => a.dueMs - b.dueMs);
    let nextMs = LOOK_MAX_MS;
    for (const { domain, dueMs } of waiting) {
      if (dueMs > nowMs()) nextMs = Math.min(nextMs, dueMs - nowMs());
      else if (this.#runs.size < ORDERS_MAX) this.#begin(domain, this.#settings);
    }
    this.#takeBackLook = timers.after(Math.max(LOOK_MIN_MS, nextMs), () => this.#look());
  }

  #begin(domain: AcmeDomain, settings: AcmeSettings): void {
    const { log, nowMs, chance, run } = this.#parts;
    const { ca } = settings;
    domain.begin(ca, nowMs(), chance());
    this.#save(domain);
    let order: OrderRun;
    try {
      const brief = this.#accounts.brief(domain.name, settings);
      order = run(brief, {
        answer: async (challenge) => this.#answer(domain, challenge),
        account: (url) => this.#accounts.registered(ca, url, brief.email),
      });
    } catch (error) {
      this.#failed(domain, ca, ownProblem(messageOf(error)));
      return;
    }
    log.info({ domain: domain.name, ca }, 'a certificate is ordered');
    this.#runs.set(domain.name, { domain, run: order });
    const over = order.ended.then((end) => this.#ended(domain, ca, end));
    this.#underWay.add(over);
    background(
      over.finally(() => this.#underWay.delete(over)),
      log,
      'the end of an order',
    );
  }

  async #answer(domain: AcmeDomain, challenge: AcmeChallenge): Promise<void> {
    this.#challenges.set(domain, challenge);
    await this.#parts.keeper.setChallenges([...this.#challenges.values()]);
  }

  #ended(domain: AcmeDomain, ca: string, end: OrderEnd): void {
    const { keeper, log } = this.#parts;
    this.#runs.delete(domain.name);
    if (this.#challenges.delete(domain)) {
      background(keeper.setChallenges([...this.#challenges.values()]), log, 'ending a challenge');
    }
    if (end.kind === 'failed') this.#failed(domain, ca, end.problem);
    else if (end.kind === 'obtained') this.#obtained(domain, ca, end);
    else {
      domain.calledOff();
      this.#save(domain);
    }
    this.#look();
  }

  #obtained(domain: AcmeDomain, ca: string, { chain, key }: KeyPair): void {
    const { log, nowMs } = this.#parts;
    let certificate: ObtainedCertificate;
    try {
      certificate = { ...readIssued(domain.name, chain, key), ca, obtainedAtMs: nowMs() };
      if (certificate.notAfterMs <= nowMs()) {
        throw new Error('it has ended already, or the clock of this machine is wrong');
      }
      // The one before is presented until there is one that can take its place.
      const fault = this.#parts.keeper.faultOf(presented(domain.name, certificate, false));
      if (fault !== undefined) throw new Error(fault);
    } catch (error) {
      this.#failed(domain, ca, ownProblem(`the certificate cannot be used: ${messageOf(error)}`));
      return;
    }
    domain.obtained(certificate);
    this.counts.obtained++;
    this.#save(domain);
    const until = new Date(certificate.notAfterMs).toISOString();
    const tell = (): void =>
      log.info({ domain: domain.name, ca, until }, 'a certificate was obtained');
    if (this.#domains.get(domain.name) === domain) this.#publish(tell);
    else tell();
  }

  #failed(domain: AcmeDomain, ca: string, problem: OrderProblem): void {
    const { log, nowMs, chance } = this.#parts;
    domain.failed(ca, problem, nowMs(), chance());
    this.counts.failed++;
    this.#save(domain);
    const { failures, nextTryMs } = domain.status(ca, nowMs());
    log.warn(
      {
        domain: domain.name,
        ca,
        problem: problem.words,
        failures,
        nextTry: new Date(nextTryMs).toISOString(),
      },
      'no certificate was obtained; it is tried again later',
    );
  }

  /** What cannot be written is used all the same, and written later. */
  #save(domain: AcmeDomain): void {
    try {
      this.#parts.files.writeDomain(domain.name, domain.record);
      this.#unsaved.delete(domain);
    } catch (error) {
      if (!this.#unsaved.has(domain)) {
        this.#parts.log.error(
          { err: error, domain: domain.name },
          'what is known of a certificate was not stored; it is tried again',
        );
      }
      this.#unsaved.add(domain);
    }
  }

  /** `then` is called when every worker presents them, or cannot. */
  #publish(then = (): void => {}): void {
    const { keeper, log } = this.#parts;
    const presented = keeper.setObtained(this.certificates).finally(then);
    background(presented, log, 'presenting certificates of ACME');
  }

  #tellOfMissing(known: ReadonlyMap<string, AcmeDomain> = new Map()): void {
    const missing = [...this.#domains.values()].filter(
      (domain) => domain.certificate === undefined && known.get(domain.name) !== domain,
    );
    if (missing.length === 0) return;
    this.#parts.log.warn(
      { domains: missing.map(({ name }) => name) },
      'there is no certificate yet: until it is obtained, a self-signed one is presented, of which clients warn',
    );
  }

  /** The next order may be weeks away; what is presented until then is as good as before. */
  #tellOfFiles(): void {
    const faults = this.#settings === undefined ? [] : orderFileFaults(this.#settings);
    for (const fault of faults) {
      if (this.#toldFaults.includes(fault)) continue;
      this.#parts.log.warn({}, `${fault}; until it is right, no certificate can be ordered`);
    }
    this.#toldFaults = faults;
  }

  #selfSignedFor(missing: readonly string[]): KeyPair {
    const names = missing.join(' ');
    if (this.#selfSigned?.names !== names) {
      this.#selfSigned = { names, pair: selfSigned(missing, placeholderLife(this.#parts.nowMs())) };
    }
    return this.#selfSigned.pair;
  }
}

function presented(
  domain: string,
  { chain, key }: KeyPair,
  isSelfSigned: boolean,
): AcmeCertificate {
  return { domain, chain, key, isSelfSigned };
}

function placeholderLife(nowMs: number): Life {
  return { notBeforeMs: nowMs - BACKDATED_MS, notAfterMs: nowMs + PLACEHOLDER_LIFE_MS };
}
