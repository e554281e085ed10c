// How the settings of the admin API must go together.

import { isLocal, printAddress } from '../values/address.ts';
import type { Draft, Issue } from './schema.ts';

/** Returns the contradictions between the settings of TLS. */
export function tlsIssues({ admin }: Draft): Issue[] {
  const { cert, key, clientCa, clients = [] } = admin?.tls ?? {};
  const issues: Issue[] = [];
  const say = (name: string, message: string): void => {
    issues.push({ path: ['admin', 'tls', name], message, at: 'value' });
  };
  if (cert !== undefined && key === undefined) {
    say('cert', 'expected admin.tls.key beside it, got none');
  }
  if (key !== undefined && cert === undefined) {
    say('key', 'expected admin.tls.cert beside it, got none');
  }
  if (clientCa !== undefined && cert === undefined && key === undefined) {
    say('clientCa', 'expected admin.tls.cert and admin.tls.key beside it, got none');
  }
  if (clientCa !== undefined && clients.length === 0) {
    say('clientCa', 'expected admin.tls.clients that say what who may do, got none');
  }
  if (clients.length > 0 && clientCa === undefined) {
    say('clients', 'expected admin.tls.clientCa, whose certificates they have, got none');
  }
  const names = clients.flatMap((client) => (client === undefined ? [] : [client.name]));
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) say('clients', `expected each name once, got ${twice} twice`);
  return issues;
}

/** Returns what an operator should know before tokens travel. */
export function tlsWarnings({ admin }: Draft): string[] {
  const listen = admin?.listen;
  if (listen === undefined || isLocal(listen) || admin?.tls?.cert !== undefined) return [];
  return [
    `admin.listen is ${printAddress(listen)} without TLS: tokens travel in the clear, so whoever ` +
      'listens in can switch; set admin.tls.cert and admin.tls.key',
  ];
}
