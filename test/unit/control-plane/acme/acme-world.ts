// Everything around the orders of ACME, in memory: a clock and timers that the test moves, an authority
// that answers when the test says so, files that last over restarts, and what workers would be given.

import type { Account, DomainRecord } from '../../../../src/control-plane/acme/acme-files.ts';
import { AcmeOrders } from '../../../../src/control-plane/acme/acme-orders.ts';
import type {
  AcmeCertificate,
  AcmeSettings,
} from '../../../../src/control-plane/acme/acme-types.ts';
import type { OrderBrief } from '../../../../src/control-plane/acme/order-messages.ts';
import type { OrderEnd, RunHands } from '../../../../src/control-plane/acme/order-run.ts';
import { selfSigned } from '../../../../src/control-plane/acme/self-signed.ts';
import type { AcmeChallenge } from '../../../../src/contract/certificates.ts';
import { TestLog } from '../support/fixtures.ts';
import { ManualTimers, settled } from '../support/manual-timers.ts';

export const START_MS = 1_800_000_000_000;
export const DAY_MS = 86_400_000;
export const CA = 'https://ca.test/directory';

export function acmeSettings(
  domains: readonly string[],
  more: Partial<AcmeSettings> = {},
): AcmeSettings {
  const plain = {
    ca: CA,
    caFile: undefined,
    email: 'ops@shop.test',
    challenge: 'http-01',
    externalAccount: undefined,
  } as const;
  return { domains, ...plain, ...more };
}

/** An order as the authority sees it. */
export interface SeenOrder {
  readonly brief: OrderBrief;
  readonly hands: RunHands;
  readonly atMs: number;
  /** What the domain had then. */
  readonly record: DomainRecord | undefined;
  isOver: boolean;
  readonly end: (how: OrderEnd) => void;
}

export class AcmeWorld {
  readonly timers = new ManualTimers();
  readonly log = new TestLog();
  readonly orders: SeenOrder[] = [];
  readonly accounts = new Map<string, Account>();
  readonly records = new Map<string, DomainRecord>();
  challenges: readonly AcmeChallenge[] = [];
  obtained: readonly AcmeCertificate[] = [];
  isDiskFull = false;
  /** Why listeners would not present what is issued. */
  chainFault: string | undefined;
  /** What was done to the clock. */
  offsetMs = 0;
  acme: AcmeOrders;
  readonly #dead = new Set<AcmeOrders>();

  constructor(settings: AcmeSettings | undefined) {
    this.acme = this.#make(settings);
  }

  get nowMs(): number {
    return START_MS + this.timers.nowMs + this.offsetMs;
  }

  /** Those that run. */
  get open(): readonly SeenOrder[] {
    return this.orders.filter(({ isOver }) => !isOver);
  }

  /** The process is killed, and another one starts. */
  async restart(settings: AcmeSettings | undefined): Promise<void> {
    const old = this.acme;
    for (const order of this.open) order.isOver = true;
    this.#dead.add(old);
    this.acme = this.#make(settings);
    this.acme.start();
    await settled();
  }

  /** Lets the authority carry out an order. */
  async issue(order: SeenOrder, lifeMs = 90 * DAY_MS): Promise<void> {
    const life = { notBeforeMs: this.nowMs, notAfterMs: this.nowMs + lifeMs };
    order.end({ kind: 'obtained', ...selfSigned([order.brief.domain], life) });
    await settled();
  }

  async fail(order: SeenOrder, words = 'no such name', retryAfterMs?: number): Promise<void> {
    const isRateLimited = retryAfterMs !== undefined;
    order.end({ kind: 'failed', problem: { words, advice: '', isRateLimited, retryAfterMs } });
    await settled();
  }

  #make(settings: AcmeSettings | undefined): AcmeOrders {
    const write = <T>(map: Map<string, T>, name: string, value: T): void => {
      if (this.isDiskFull) throw new Error('no space left on the device');
      map.set(name, value);
    };
    const isDead = (): boolean => this.#dead.has(made);
    const made: AcmeOrders = new AcmeOrders({
      settings,
      files: {
        account: (ca) => this.accounts.get(ca),
        writeAccount: (account) => {
          if (!isDead()) write(this.accounts, account.ca, account);
        },
        domain: (domain) =>
          this.records.get(domain) ?? { certificate: undefined, trouble: undefined },
        writeDomain: (domain, record) => {
          if (!isDead()) write(this.records, domain, record);
        },
      },
      keeper: {
        faultOf: () => this.chainFault,
        setChallenges: async (challenges) => {
          if (!isDead()) this.challenges = challenges;
        },
        setObtained: async (certificates) => {
          if (!isDead()) this.obtained = certificates;
        },
      },
      log: this.log,
      nowMs: () => this.nowMs,
      timers: {
        after: (ms, run) =>
          this.timers.after(ms, () => {
            if (!isDead()) run();
          }),
      },
      chance: () => 0.5,
      run: (brief, hands) => {
        const { promise, resolve } = Promise.withResolvers<OrderEnd>();
        const order: SeenOrder = {
          brief,
          hands,
          atMs: this.nowMs,
          record: this.records.get(brief.domain),
          isOver: false,
          end: (how) => {
            order.isOver = true;
            resolve(how);
          },
        };
        this.orders.push(order);
        return { ended: promise, callOff: () => order.end({ kind: 'called off' }) };
      },
    });
    return made;
  }
}
