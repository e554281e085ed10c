// How the admin API is reached, as flags and variables of this shell say: address, token,
// certificates. Knows nothing of what is asked there.

import { readFileSync } from 'node:fs';
import { parseListen } from '../../config/values/address.ts';
import { accept, refuse, type Parsed } from '../../base/parsed.ts';
import { printAddress, type ListenAddress } from '../../contract/worker-settings.ts';
import type { Terminal } from '../terminal/print.ts';

/** Where `turnout run` listens for commands unless it is told otherwise. */
export const ADMIN_DEFAULT = '127.0.0.1:8081';

/** Certificates and keys are PEM text of some KiB. */
const PEM_BYTES_MAX = 1024 * 1024;

export interface ConnectionFlags {
  readonly admin: string | undefined;
  /** Paths of PEM files. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
}

export interface Connection {
  readonly address: ListenAddress;
  /** Undefined: no TLS. */
  readonly tls: TlsFiles | undefined;
  /** Sent as `Authorization: Bearer`; empty: none. */
  readonly token: string;
}

/** PEM texts; undefined: what Node does without. */
interface TlsFiles {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Returns the way to the admin API; flags win over variables. Reads files. */
export function connectionOf(terminal: Terminal, flags: ConnectionFlags): Parsed<Connection> {
  const { environment } = terminal;
  const admin = named('--admin', adminAddress(flags.admin ?? environment['TURNOUT_ADMIN']));
  if (!admin.ok) return admin;
  const token = named('--token', bearerToken(flags.token ?? environment['TURNOUT_TOKEN'] ?? ''));
  if (!token.ok) return token;
  const { address, isTls } = admin.value;
  const tls = isTls ? tlsFiles(terminal, flags) : noTls(flags);
  if (!tls.ok) return tls;
  return accept({ address, tls: tls.value, token: token.value });
}

/** Returns `address` as an operator names it. */
export function printConnection({ address, tls }: Connection): string {
  return `${tls === undefined ? '' : 'https://'}${printAddress(address)}`;
}

interface AdminAddress {
  readonly address: ListenAddress;
  readonly isTls: boolean;
}

/** Returns the address that `--admin` or TURNOUT_ADMIN name; `undefined` means the default. */
export function adminAddress(text: string | undefined): Parsed<AdminAddress> {
  const given = text === undefined || text === '' ? ADMIN_DEFAULT : text;
  const bare = given.replace(/^https?:\/\//i, '').replace(/\/$/, '');
  const parsed = parseListen(bare, '127.0.0.1');
  const isTls = /^https:/i.test(given);
  if (!parsed.ok || (isTls && parsed.value.kind === 'unix')) {
    return refuse('http://host:port, https://host:port or unix:/path', given);
  }
  return accept({ address: parsed.value, isTls });
}

/** The faults of a token never show it. RFC 6750 §2.1: what a Bearer token is made of. */
function bearerToken(text: string): Parsed<string> {
  if (text === '' || /^[\w.~+/-]+=*$/.test(text)) return accept(text);
  const problem = 'expected letters, digits and . _ ~ + / - as `turnout token create` prints them';
  return { ok: false, problem };
}

function tlsFiles({ environment }: Terminal, flags: ConnectionFlags): Parsed<TlsFiles> {
  const read = (name: 'ca' | 'cert' | 'key'): Parsed<string | undefined> =>
    named(`--${name}`, pemText(flags[name] ?? environment[`TURNOUT_${name.toUpperCase()}`]));
  const ca = read('ca');
  if (!ca.ok) return ca;
  const cert = read('cert');
  if (!cert.ok) return cert;
  const key = read('key');
  if (!key.ok) return key;
  if ((cert.value === undefined) !== (key.value === undefined)) {
    return { ok: false, problem: '--cert and --key: expected both of them, got one' };
  }
  return accept({ ca: ca.value, cert: cert.value, key: key.value });
}

/** A certificate that is named but not used would make the way look protected. */
function noTls(flags: ConnectionFlags): Parsed<undefined> {
  const unused = (['ca', 'cert', 'key'] as const).find((name) => flags[name] !== undefined);
  if (unused === undefined) return accept(undefined);
  return { ok: false, problem: `--${unused}: of use with --admin https://host:port only` };
}

function pemText(path: string | undefined): Parsed<string | undefined> {
  if (path === undefined || path === '') return accept(undefined);
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length <= PEM_BYTES_MAX && text.includes('-----BEGIN ')) return accept(text);
    return refuse('a PEM file (-----BEGIN ...)', path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return refuse('a file that can be read', path, code);
  }
}

function named<T>(flag: string, parsed: Parsed<T>): Parsed<T> {
  return parsed.ok ? parsed : { ok: false, problem: `${flag}: ${parsed.problem}` };
}
