// Proves the caller of the admin API (by a token, by a client certificate, or because only this
// machine can reach the listener) and checks what this caller may do.

import { epochMs } from '../../../base/clock.ts';
import type { AdminConfig } from '../../../config/config.ts';
import { isLocal } from '../../../config/values/address.ts';
import { mayAct, type Role } from '../../../api/roles.ts';
import { certificateActor } from '../../base/actors.ts';
import { FailureLimit } from '../../base/failure-limit.ts';
import { OperatorError } from '../../base/problems.ts';
import type { Tokens } from '../../access/tokens.ts';
import type { Route } from '../routes/route.ts';
import type { ClientCertificate } from './client-certificate.ts';

/** A caller whose credentials were proven. */
export interface Caller {
  /** As in the audit log. */
  readonly actor: string;
  readonly role: Role;
  /** Undefined: all, and the process itself. */
  readonly services: readonly string[] | undefined;
  /** Where targets may lead that it registers; left out: anywhere. */
  readonly allow?: readonly string[];
}

/** What a request brings along. */
export interface Credentials {
  /** Of the peer: an IP address or `unix`. */
  readonly address: string;
  readonly authorization: string | undefined;
  readonly certificate: ClientCertificate | undefined;
}

/** A caller that is not let in; `actor`: its name, as far as that was proven. */
export interface Refused {
  readonly actor: string;
  readonly error: OperatorError;
}

export class Access {
  readonly #config: AdminConfig;
  readonly #tokens: Tokens;
  readonly #limit = new FailureLimit();

  constructor(config: AdminConfig, tokens: Tokens) {
    this.#config = config;
    this.#tokens = tokens;
  }

  /** Proves the credentials of a caller. */
  async admit(credentials: Credentials): Promise<Caller | Refused> {
    const { authorization, certificate, address } = credentials;
    // A token that is sent counts, also where none is needed: its role is what was meant.
    if (authorization !== undefined) return this.#byToken(authorization, address);
    if (certificate !== undefined) return this.#byCertificate(certificate);
    const { listen, tls } = this.#config;
    if (isLocal(listen) && tls?.clientCa === undefined) {
      const actor = listen.kind === 'unix' ? 'unix' : 'loopback';
      return { actor, role: 'admin', services: undefined };
    }
    const wanted = tls?.clientCa === undefined ? 'a token' : 'a token or a client certificate';
    return nobody(`send ${wanted}: Authorization: Bearer turnout_...`);
  }

  async #byToken(authorization: string, address: string): Promise<Caller | Refused> {
    // RFC 9110 §11.1: the scheme is case-insensitive.
    const text = /^bearer +([!-~]+) *$/i.exec(authorization)?.[1];
    if (text === undefined) return nobody('expected Authorization: Bearer turnout_...');
    const nowMs = epochMs();
    const waitMs = this.#limit.waitMs(address, nowMs);
    // A good token works also from the address of a caller that guesses.
    if (waitMs > 0 && !this.#tokens.isProven(text, nowMs)) return tooMany(waitMs);
    const proof = await this.#tokens.prove(text);
    switch (proof.kind) {
      case 'proven': {
        const { name, role, services, targets } = proof.token;
        const caller = {
          actor: name,
          role,
          services: services.length === 0 ? undefined : services,
        };
        return targets.length === 0 ? caller : { ...caller, allow: targets };
      }
      case 'over': {
        const { name } = proof.token;
        const error = new OperatorError('unauthenticated', `the token ${name} ${proof.why}`);
        return { actor: name, error };
      }
      default:
        this.#limit.failed(address, nowMs);
        return nobody('the token is not known here');
    }
  }

  #byCertificate({ fault, names }: ClientCertificate): Caller | Refused {
    if (fault !== undefined) return nobody(`the client certificate is not accepted: ${fault}`);
    const rule = this.#config.tls?.clients.find(({ name }) => names.includes(name));
    if (rule !== undefined)
      return { actor: certificateActor(rule.name), role: rule.role, services: undefined };
    const list = names.length === 0 ? 'no name' : names.join(', ');
    return nobody(`the client certificate has ${list}, and admin.tls.clients does not name it`);
  }
}

/** Throws unless the role of `caller` is enough for `route`. */
export function checkRole(caller: Caller, { role }: Pick<Route, 'role'>): void {
  if (role === 'none' || mayAct(caller.role, role)) return;
  throw new OperatorError(
    'forbidden',
    `it needs the role ${role}; ${caller.actor} has ${caller.role}`,
    {
      members: { role },
    },
  );
}

/**
 * Returns the service that a call is about: the one it names, or the only one that `caller` can
 * mean; undefined where there are several. Throws `forbidden` for one that the caller may not name.
 */
export function checkScope(
  { actor, services }: Caller,
  { scope }: Pick<Route, 'scope'>,
  { named, known }: { readonly named: string | undefined; readonly known: readonly string[] },
): string | undefined {
  if (services === undefined || scope === 'nothing') return named;
  const list = services.join(', ');
  const isOfAll = scope === 'process' || (scope === 'named' && named === undefined);
  if (isOfAll) {
    const why = `it is about the whole process; ${actor} is good for ${list} only`;
    throw new OperatorError('forbidden', why, { members: { services } });
  }
  // A call that names no service means the only one, or the only one of the caller.
  const only = scope === 'service' && known.length === 1 ? known[0] : undefined;
  const meant = named ?? only ?? (services.length === 1 ? services[0] : undefined);
  if (meant === undefined || services.includes(meant)) return meant;
  throw new OperatorError('forbidden', `it is about ${meant}; ${actor} is good for ${list} only`, {
    members: { services },
  });
}

function nobody(detail: string): Refused {
  return { actor: 'nobody', error: new OperatorError('unauthenticated', detail) };
}

function tooMany(waitMs: number): Refused {
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  const detail = `too many wrong tokens came from here; wait ${retryAfterSeconds} s`;
  const members = { retryAfterSeconds };
  return { actor: 'nobody', error: new OperatorError('too-many-failures', detail, { members }) };
}
