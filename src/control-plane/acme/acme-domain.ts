// One domain: the certificate it has, the order that runs for it, and when the next one is due. Pure but
// for the record that its owner stores.

import type { DomainRecord, ObtainedCertificate, Trouble } from './acme-files.ts';
import type { AcmeStatus } from './acme-types.ts';
import { ownProblem } from './authority-answer.ts';
import type { OrderProblem } from './order-messages.ts';
import { renewalMs, triesNow, waitMs } from './renewal-times.ts';

/** An order that is asked for again by hand still leaves the authority alone for so long. */
const ASKED_AGAIN_MS = 60_000;
const BROKEN_OFF = ownProblem('the program ended in the middle of the order');

export class AcmeDomain {
  readonly name: string;
  #record: DomainRecord;
  /** As it was before the order that runs. */
  #before: Trouble | undefined;
  isOrdering = false;

  constructor(name: string, record: DomainRecord) {
    this.name = name;
    this.#record = record;
  }

  get record(): DomainRecord {
    return this.#record;
  }

  /** What to present: that of another authority, too, until there is one of this. */
  get certificate(): ObtainedCertificate | undefined {
    return this.#record.certificate;
  }

  /** Looks at the clock: what was stored with another one must not put the next try off for years. */
  see(nowMs: number): void {
    const { trouble } = this.#record;
    if (trouble === undefined || trouble.lastTryMs <= nowMs) return;
    this.#record = { ...this.#record, trouble: { ...trouble, ...triesNow(trouble, nowMs) } };
  }

  /** Returns when it is to be ordered from `ca`. */
  dueMs(ca: string): number {
    const { certificate } = this.#record;
    const renewal =
      certificate?.ca === ca
        ? renewalMs(certificate, certificate.obtainedAtMs, certificate.chance)
        : -Infinity;
    return Math.max(renewal, this.#troubleAt(ca)?.nextTryMs ?? -Infinity);
  }

  /** An order from `ca` begins; what is stored now counts it as failed, should this program die in it. */
  begin(ca: string, nowMs: number, chance: number): void {
    this.#before = this.#record.trouble;
    this.#fail(ca, BROKEN_OFF, nowMs, chance);
    this.isOrdering = true;
  }

  failed(ca: string, problem: OrderProblem, nowMs: number, chance: number): void {
    this.#end();
    this.#fail(ca, problem, nowMs, chance);
  }

  calledOff(): void {
    this.#end();
  }

  obtained(certificate: ObtainedCertificate): void {
    this.#end();
    this.#record = { certificate, trouble: undefined };
  }

  /** An operator asks for another try: the wait after a failure is cut short, unless the authority asked for it. */
  hurry(): void {
    const { trouble } = this.#record;
    if (trouble === undefined || trouble.isRateLimited || this.isOrdering) return;
    const soonMs = trouble.lastTryMs + ASKED_AGAIN_MS;
    const hurried = { ...trouble, nextTryMs: Math.min(trouble.nextTryMs, soonMs) };
    this.#record = { ...this.#record, trouble: hurried };
  }

  status(ca: string, nowMs: number): AcmeStatus {
    const trouble = this.isOrdering ? this.#before : this.#troubleAt(ca);
    return {
      domain: this.name,
      notAfterMs: this.certificate?.notAfterMs,
      isOrdering: this.isOrdering,
      nextTryMs: this.isOrdering ? nowMs : Math.max(nowMs, this.dueMs(ca)),
      failures: trouble?.failures ?? 0,
      problem: trouble?.words ?? '',
      advice: trouble?.advice ?? '',
    };
  }

  #troubleAt(ca: string): Trouble | undefined {
    const { trouble } = this.#record;
    return trouble?.ca === ca ? trouble : undefined;
  }

  #end(): void {
    if (this.isOrdering) this.#record = { ...this.#record, trouble: this.#before };
    this.#before = undefined;
    this.isOrdering = false;
  }

  #fail(ca: string, problem: OrderProblem, nowMs: number, chance: number): void {
    const { words, advice, isRateLimited, retryAfterMs } = problem;
    const failures = (this.#troubleAt(ca)?.failures ?? 0) + 1;
    const wait = waitMs({ failures, isRateLimited, retryAfterMs }, this.certificate, chance);
    const trouble = {
      ca,
      failures,
      lastTryMs: nowMs,
      nextTryMs: nowMs + wait,
      words,
      advice,
      isRateLimited,
    };
    this.#record = { ...this.#record, trouble };
  }
}
