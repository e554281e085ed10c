// One order from its account to its certificate (RFC 8555 §7), in the order of the protocol. Runs in a
// program of its own; what it needs of the process in charge are two questions and their answers.

import { crypto, type Authorization, type Client, type Order } from 'acme-client';
import type { AcmeChallenge } from '../../contract/certificates.ts';
import type { AuthorityAnswer } from './authority-answer.ts';
import { boundHttp, clientFor, type LastAnswer } from './authority-client.ts';
import type { OrderBrief, OrderStep } from './order-messages.ts';

export interface OrderHands {
  /** Tells what is done next. */
  step(step: OrderStep): void;
  /** The account exists now, or has another address. */
  account(url: string): void;
  /** Resolves when every worker can answer. */
  answering(challenge: AcmeChallenge): Promise<void>;
}

interface Issued {
  /** PEM, its own first. */
  readonly chain: string;
  readonly key: string;
}

/** One domain has one; authorities may ask for a few more things. */
const AUTHORIZATIONS_MAX = 4;
/** A short wait that an authority asks for is kept within the order; after a longer one it is begun anew. */
const SHORT_WAIT_MAX_MS = 30_000;
/** Where it names no time. */
const SHORT_WAIT_MS = 2_000;
const SHORT_WAITS_MAX = 3;
/** Nothing was done: the request may be sent again. */
const NOT_DONE = [429, 503];

/** Carries out one order; `last` tells what the authority said when this throws. */
export async function carryOut(
  brief: OrderBrief,
  hands: OrderHands,
  last: LastAnswer,
): Promise<Issued> {
  boundHttp(brief, last);
  const order = new RunningOrder(brief, hands, last);
  return await order.run();
}

class RunningOrder {
  readonly #brief: OrderBrief;
  readonly #hands: OrderHands;
  readonly #last: LastAnswer;
  #client: Client;

  constructor(brief: OrderBrief, hands: OrderHands, last: LastAnswer) {
    this.#brief = brief;
    this.#hands = hands;
    this.#last = last;
    this.#client = clientFor(brief, brief.accountUrl);
  }

  async run(): Promise<Issued> {
    this.#hands.step('directory');
    await this.#patiently(async () => this.#client.getTermsOfServiceUrl());
    if (this.#brief.accountUrl === '') await this.#register();
    else if (this.#brief.isEmailNew) await this.#changeEmail();
    const order = await this.#place();
    for (const authorization of await this.#authorizations(order)) {
      await this.#prove(authorization);
    }
    return await this.#finish(order);
  }

  async #register(): Promise<void> {
    this.#hands.step('account');
    const account = { termsOfServiceAgreed: true, contact: this.#contact };
    await this.#patiently(async () => this.#client.createAccount({ ...account }));
    this.#hands.account(this.#client.getAccountUrl());
  }

  async #changeEmail(): Promise<void> {
    this.#hands.step('account');
    await this.#patiently(async () => this.#client.updateAccount({ contact: this.#contact }));
    this.#hands.account(this.#client.getAccountUrl());
  }

  get #contact(): string[] {
    return this.#brief.email === '' ? [] : [`mailto:${this.#brief.email}`];
  }

  async #place(): Promise<Order> {
    this.#hands.step('order');
    const identifiers = [{ type: 'dns', value: this.#brief.domain }];
    const place = async (): Promise<Order> => this.#client.createOrder({ identifiers });
    try {
      return await this.#patiently(place);
    } catch (error) {
      // An authority may forget accounts, or be set up anew under its old address.
      if (this.#last.failure?.type !== 'accountDoesNotExist') throw error;
      this.#client = clientFor(this.#brief, '');
      await this.#register();
      this.#hands.step('order');
      return await this.#patiently(place);
    }
  }

  async #authorizations(order: Order): Promise<Authorization[]> {
    const count = order.authorizations.length;
    if (count > AUTHORIZATIONS_MAX) {
      throw new Error(`the authority wants ${count} authorizations for one domain`);
    }
    return await this.#patiently(async () => this.#client.getAuthorizations(order));
  }

  async #prove(authorization: Authorization): Promise<void> {
    const { identifier, status, challenges } = authorization;
    const { domain, challenge: kind } = this.#brief;
    if (identifier.value !== domain) {
      throw new Error(`the authority wants ${identifier.value} to be proven, not ${domain}`);
    }
    if (status === 'valid') return; // From an order before.
    this.#hands.step('challenge');
    const challenge = challenges.find(({ type }) => type === kind);
    if (challenge === undefined) {
      const offered = challenges.map(({ type }) => type).join(', ');
      throw new Error(`the authority does not offer ${kind} for ${domain}, only ${offered}`);
    }
    const answer = await this.#client.getChallengeKeyAuthorization(challenge);
    await this.#hands.answering(
      kind === 'http-01'
        ? { kind, token: challenge.token, answer }
        : { kind, name: domain, ...(await alpnCertificate(authorization, answer)) },
    );
    this.#hands.step('validation');
    await this.#patiently(async () => this.#client.completeChallenge(challenge));
    await this.#patiently(async () => this.#client.waitForValidStatus(challenge));
  }

  async #finish(order: Order): Promise<Issued> {
    this.#hands.step('certificate');
    const key = await crypto.createPrivateEcdsaKey();
    // Without a common name: that is limited to 64 characters, and clients ignore it.
    const [, request] = await crypto.createCsr({ altNames: [this.#brief.domain] }, key);
    const finalized = await this.#patiently(async () => this.#client.finalizeOrder(order, request));
    const chain = await this.#patiently(async () => this.#client.getCertificate(finalized));
    if (typeof chain !== 'string') throw new Error('the authority sent no certificate');
    return { chain, key: key.toString() };
  }

  /** Does one step; where the authority asks for a short wait, once more after it. */
  async #patiently<T>(step: () => Promise<T>): Promise<T> {
    for (let waits = 0; ; waits++) {
      this.#last.failure = undefined;
      try {
        return await step();
      } catch (error) {
        const waitMs = shortWaitMs(this.#last.failure);
        if (waitMs === undefined || waits === SHORT_WAITS_MAX) throw error;
        await new Promise((resolve) => {
          setTimeout(resolve, waitMs);
        });
      }
    }
  }
}

async function alpnCertificate(authorization: Authorization, answer: string): Promise<Issued> {
  const key = await crypto.createPrivateEcdsaKey();
  const [, chain] = await crypto.createAlpnCertificate(authorization, answer, key);
  return { chain: chain.toString(), key: key.toString() };
}

function shortWaitMs(failure: AuthorityAnswer | undefined): number | undefined {
  // The client has tried this several times already; with some authorities it takes more.
  if (failure?.type === 'badNonce') return 0;
  if (failure === undefined || !NOT_DONE.includes(failure.status)) return undefined;
  // A limit of orders or failures lasts for hours; what has no type comes from a gateway in front.
  if (failure.type === 'rateLimited' && failure.retryAfterMs === undefined) return undefined;
  const waitMs = failure.retryAfterMs ?? SHORT_WAIT_MS;
  return waitMs <= SHORT_WAIT_MAX_MS ? waitMs : undefined;
}
