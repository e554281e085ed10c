// Asks about names: the system, as every program on it does, or the DNS servers that the settings
// name. Bounds how many questions are open at once, and says in words why there was no answer.

import { Resolver, lookup } from 'node:dns/promises';
import {
  DNS_TRIES,
  DNS_TRY_MS,
  LOOKUPS_WAITING_MAX,
  SERVER_LOOKUPS_MAX,
  SYSTEM_LOOKUPS_MAX,
} from '../base/control-limits.ts';
import type { DnsClient } from './lookup.ts';
import { codeOf, messageOf } from '../base/problems.ts';

/** A question about a name was not answered; the message says why. */
class LookupError extends Error {
  override readonly name = 'LookupError';
}

/** Returns a client of `servers` (`host:port`), or of the system where there are none. */
export function dnsClient(servers: readonly string[]): DnsClient {
  const resolver = new Resolver({ timeout: DNS_TRY_MS, tries: DNS_TRIES });
  if (servers.length > 0) resolver.setServers(servers);
  const system = gate(SYSTEM_LOOKUPS_MAX);
  const wire = gate(SERVER_LOOKUPS_MAX);

  async function fromSystem(host: string, family: 4 | 6): Promise<string[]> {
    // As any program would find it, /etc/hosts and search domains included.
    const found = await system(() => lookup(host, { all: true, family }));
    return found.map(({ address }) => address);
  }

  async function fromServers(host: string, family: 4 | 6): Promise<string[]> {
    return await wire(() => (family === 4 ? resolver.resolve4(host) : resolver.resolve6(host)));
  }

  const addresses = servers.length > 0 ? fromServers : fromSystem;
  return {
    addresses: async (host, family) => answered(host, addresses(host, family)),
    services: async (name) =>
      answered(
        name,
        wire(() => resolver.resolveSrv(name)),
      ),
    close: () => resolver.cancel(),
  };
}

/** Lets at most `openMax` tasks run at once; the others wait in order. */
export function gate(openMax: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let open = 0;
  return async (task) => {
    if (open >= openMax) {
      if (waiting.length >= LOOKUPS_WAITING_MAX) throw new LookupError('too many lookups wait');
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    } else {
      open++;
    }
    try {
      return await task();
    } finally {
      // A question that waits takes the place over.
      const next = waiting.shift();
      if (next === undefined) open--;
      else next();
    }
  };
}

/** Nothing there is an answer as well. */
const NOTHING: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

async function answered<T>(name: string, question: Promise<T[]>): Promise<T[]> {
  try {
    return await question;
  } catch (error) {
    const code = codeOf(error);
    if (NOTHING.has(code)) return [];
    if (error instanceof LookupError) throw error;
    const why = REASONS[code] ?? messageOf(error);
    throw new LookupError(`${name}: ${why}`, { cause: error });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ETIMEOUT: 'no DNS server answered',
  ECONNREFUSED: 'no DNS server accepted the question',
  ESERVFAIL: 'the DNS server failed',
  EREFUSED: 'the DNS server refused to answer',
  EBADRESP: 'the answer of the DNS server is broken',
  EFORMERR: 'the DNS server did not understand the question',
  EBADNAME: 'the name cannot be asked for',
  EAI_AGAIN: 'the system could not look it up',
  ECANCELLED: 'Turnout is stopping',
};
