// How the settings of where clients come in must go together: addresses, TLS and its certificates, ACME.

import { printAddress, type ListenAddress } from '../../../contract/worker-settings.ts';
import { isWildcard } from '../../values/host-name.ts';
import type { Draft, Issue, Path } from './draft.ts';

type Entry = NonNullable<NonNullable<Draft['listen']>[number]>;

/** An address on which Turnout listens, and where it is set. */
export interface NamedListener {
  readonly path: Path;
  readonly name: string;
  readonly address: ListenAddress;
}

/** Returns the contradictions between the settings of listeners. */
export function listenIssues(draft: Draft): Issue[] {
  return [
    ...addressIssues(draft),
    ...(draft.listen ?? []).flatMap((entry, index) =>
      entry === undefined ? [] : entryIssues(draft, entry, ['listen', index]),
    ),
    ...trafficIssues(draft),
    ...certIssues(draft),
    ...acmeIssues(draft),
  ];
}

/** Returns the listeners of clients that could be read. */
export function clientListeners({ listen = [] }: Draft): NamedListener[] {
  return listen.flatMap((entry, index): NamedListener[] => {
    const address = entry?.address;
    if (address === undefined) return [];
    // One may be written without a list.
    if (listen.length === 1) return [{ path: ['listen'], name: 'listen', address }];
    return [{ path: ['listen', index, 'address'], name: `listen[${index}]`, address }];
  });
}

/** Returns what is allowed but may not be meant. */
export function listenWarnings({ listen = [], acme }: Draft): string[] {
  if (acme?.challenge !== 'http-01' || (acme.domains ?? []).length === 0) return [];
  const isOne = isOnlyTraffic(listen);
  const isPlain = listen.some((entry) => {
    if (entry?.address?.kind !== 'tcp') return false;
    return !isTraffic(entry) || !(isOne || speaksTls(entry));
  });
  if (isPlain) return [];
  return [
    'acme.challenge is http-01, and no address of listen is without TLS: the authority comes to port 80; ' +
      'add one with redirect: true, or leave the challenge at tls-alpn-01',
  ];
}

function speaksTls({ tls }: Entry): boolean {
  return tls !== undefined && (tls.acme === true || (tls.certificates ?? []).length > 0);
}

function isTraffic(entry: Entry | undefined): boolean {
  return entry !== undefined && (entry.redirect ?? false) === false;
}

function isOnlyTraffic(listen: NonNullable<Draft['listen']>): boolean {
  return listen.filter(isTraffic).length === 1;
}

/** Every address that could be read, in the order of importance. */
function addressIssues(draft: Draft): Issue[] {
  const others: readonly (readonly [string, ListenAddress | undefined])[] = [
    ['admin', draft.admin?.listen],
    ['preview', draft.preview?.listen],
    ['metrics', draft.metrics?.listen],
  ];
  const clients = clientListeners(draft);
  const all: NamedListener[] = [
    ...clients,
    ...others.flatMap(([section, address]) =>
      address === undefined
        ? []
        : [{ path: [section, 'listen'], name: `${section}.listen`, address }],
    ),
  ];
  return all.flatMap(({ path, address }, index): Issue[] => {
    const other = all.slice(0, index).find((one) => {
      const areClients = index < clients.length;
      return clash(one.address, address) || (areClients && isAlike(one.address, address));
    });
    if (other === undefined) return [];
    const taken = `${other.name} (${printAddress(other.address)})`;
    return [issue(path, `expected an address of its own, got that of ${taken}`)];
  });
}

/** Any free port is another one each time, but the two would have one name. */
function isAlike(a: ListenAddress, b: ListenAddress): boolean {
  return printAddress(a) === printAddress(b);
}

function clash(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === 'unix' || b.kind === 'unix') {
    return a.kind === 'unix' && b.kind === 'unix' && a.path === b.path;
  }
  if (a.port === 0 || a.port !== b.port) return false;
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host);
}

function entryIssues(draft: Draft, entry: Entry, at: Path): Issue[] {
  const { tls } = entry;
  if (tls === undefined) return [];
  const path = [...at, 'tls'];
  if (!isTraffic(entry)) {
    return [
      issue(path, 'expected no tls beside redirect: it is for clients that come without TLS'),
    ];
  }
  const { clientCa, clients, acme } = tls;
  const issues: Issue[] = [];
  const isGivenElsewhere =
    isOnlyTraffic(draft.listen ?? []) &&
    (draft.tls?.cert !== undefined || (draft.acme?.domains ?? []).length > 0);
  if (!speaksTls(entry) && !isGivenElsewhere) {
    issues.push(issue(path, 'expected certificates or acme: true in it, got neither'));
  }
  if (clientCa !== undefined && clients === undefined) {
    const message = 'expected clients beside it (required or optional), got none';
    issues.push(issue([...path, 'clientCa'], message));
  }
  if (clients !== undefined && clientCa === undefined) {
    const message = 'expected clientCa beside it, whose certificates they have, got none';
    issues.push(issue([...path, 'clients'], message));
  }
  if (acme === true && draft.acme?.domains?.length === 0) {
    issues.push(issue([...path, 'acme'], 'expected names in acme.domains, got none'));
  }
  return issues;
}

function trafficIssues({ listen = [] }: Draft): Issue[] {
  const isKnown = listen.length > 0 && listen.every((entry) => entry?.redirect !== undefined);
  if (!isKnown || listen.some(isTraffic)) return [];
  return [issue(['listen'], 'expected an address for traffic, got redirects alone')];
}

function certIssues({ listen = [], tls }: Draft): Issue[] {
  const { cert, key } = tls ?? {};
  const issues: Issue[] = [];
  if (cert !== undefined && key === undefined) {
    issues.push(issue(['tls', 'cert'], 'expected tls.key beside it, got none'));
  }
  if (key !== undefined && cert === undefined) {
    issues.push(issue(['tls', 'key'], 'expected tls.cert beside it, got none'));
  }
  const count = listen.filter(isTraffic).length;
  if (cert !== undefined && count > 1) {
    const message = `expected one address for traffic beside it, got ${count}: name it in listen[].tls.certificates`;
    issues.push(issue(['tls', 'cert'], message));
  }
  return issues;
}

function acmeIssues({ listen = [], acme }: Draft): Issue[] {
  const domains = (acme?.domains ?? []).filter((name) => name !== undefined);
  const twice = domains.find((name, index) => domains.indexOf(name) < index);
  const issues: Issue[] = [];
  if (twice !== undefined) {
    issues.push(issue(['acme', 'domains'], `expected each name once, got ${twice} twice`));
  }
  const { keyId, hmacKeyFile } = acme?.eab ?? {};
  if (keyId !== undefined && hmacKeyFile === undefined) {
    issues.push(
      issue(['acme', 'eab', 'keyId'], 'expected acme.eab.hmacKeyFile beside it, got none'),
    );
  }
  if (hmacKeyFile !== undefined && keyId === undefined) {
    issues.push(
      issue(['acme', 'eab', 'hmacKeyFile'], 'expected acme.eab.keyId beside it, got none'),
    );
  }
  const isUsed = isOnlyTraffic(listen) || listen.some((entry) => entry?.tls?.acme === true);
  if (domains.length > 0 && !isUsed && listen.every((entry) => entry !== undefined)) {
    const message = 'expected an address of listen with tls.acme: true, got none';
    issues.push(issue(['acme', 'domains'], message));
  }
  return issues;
}

function issue(path: Path, message: string): Issue {
  return { path, message, at: 'value' };
}
