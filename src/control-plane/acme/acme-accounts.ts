// The account at each authority: its key is made here and stored before it is used, its address is kept
// once the authority has named it, because some of them name it only once. Makes the brief of an order.

import { generateKeyPairSync } from 'node:crypto';
import type { Log } from '../base/log.ts';
import type { Account, AcmeFiles } from './acme-files.ts';
import type { AcmeSettings } from './acme-types.ts';
import { readAuthorities, readBinding } from './order-files.ts';
import type { OrderBrief } from './order-messages.ts';

export class AcmeAccounts {
  readonly #files: Pick<AcmeFiles, 'account' | 'writeAccount'>;
  readonly #log: Log;
  readonly #known = new Map<string, Account>();

  constructor(files: Pick<AcmeFiles, 'account' | 'writeAccount'>, log: Log) {
    this.#files = files;
    this.#log = log;
  }

  /** Returns all that an order for `domain` needs. Throws when a file of the operator cannot be read. */
  brief(domain: string, settings: AcmeSettings): OrderBrief {
    const { ca, caFile, email = '', challenge, externalAccount } = settings;
    const trusted = caFile === undefined ? '' : readAuthorities(caFile);
    const binding = externalAccount === undefined ? undefined : readBinding(externalAccount);
    const account = this.#of(ca);
    return {
      directory: ca,
      trusted,
      accountKey: account.key,
      accountUrl: account.url,
      email,
      isEmailNew: account.email !== email,
      binding,
      domain,
      challenge,
    };
  }

  /** An authority has named the account, or knows its new email. */
  registered(ca: string, url: string, email: string): void {
    this.#keep({ ...this.#of(ca), url, email });
  }

  #of(ca: string): Account {
    const known = this.#known.get(ca) ?? this.#files.account(ca);
    if (known !== undefined) {
      this.#known.set(ca, known);
      return known;
    }
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const account = { ca, key, url: '', email: '' };
    this.#keep(account);
    return account;
  }

  /** With a disk that is full, certificates are still renewed. */
  #keep(account: Account): void {
    this.#known.set(account.ca, account);
    try {
      this.#files.writeAccount(account);
    } catch (error) {
      this.#log.error({ err: error, ca: account.ca }, 'the account of ACME was not stored');
    }
  }
}
