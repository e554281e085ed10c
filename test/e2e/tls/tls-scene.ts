// A Turnout that ends TLS itself, with two workers, in front of two colored apps, and one client that
// says all it sees: how it is asked, switched, reloaded and upgraded. All of it ends with the test.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';
import { AdminClient } from '../../support/admin-client.ts';
import { openColoredApp, type ColoredApp } from '../../support/colored-app.ts';
import { freePort, ownAddress } from '../../support/own-address.ts';
import { pki } from '../../unit/control-plane/support/pki.ts';
import { startAsGiven, temporaryDirectory, type Running } from '../turnout-process.ts';
import { kill } from '../upgrade-scene.ts';

export const HOST = 'shop.test';

export interface TlsSceneOptions {
  /** Settings of the service beside its targets. */
  readonly service?: object;
  readonly workers?: number;
  readonly stopDeadline?: string;
  /** URLs of other apps than the colored ones. */
  readonly targets?: readonly [blue: string, green: string];
}

/** Where and as what clients connect. */
export interface Door {
  readonly host: string;
  readonly port: number;
  readonly servername: string;
  /** PEM of the authority to trust. */
  readonly ca: string;
}

export interface TlsScene {
  readonly blue: ColoredApp;
  readonly green: ColoredApp;
  readonly running: Running;
  readonly admin: AdminClient;
  readonly door: Door;
  /** Path of `door.ca`. */
  readonly caFile: string;
  /** Path of the certificate that clients see. */
  readonly certFile: string;
  /** The address that sends everything to `door`. */
  readonly plain: { readonly host: string; readonly port: number };
  switchTo(color: 'blue' | 'green'): Promise<void>;
  /** Writes `extra` listeners into the file beside those that stay, and reloads. */
  reload(extra?: readonly object[], others?: object): Promise<void>;
  /** An entry of `listen` with TLS, at the address of the scene. */
  listener(port: number): object;
  /** Resolves with the pid of the process that took over. */
  upgrade(): Promise<number>;
}

/** Starts Turnout at an address of its own; targets are not checked, so a switch is made at once. */
export async function openTlsScene(t: Test, options: TlsSceneOptions = {}): Promise<TlsScene> {
  const [blue, green] = [await openColoredApp(t, 'blue'), await openColoredApp(t, 'green')];
  const { issue } = pki(t);
  const authority = issue('authority', { isAuthority: true, names: '' });
  const host = ownAddress();
  const { cert, key } = issue(HOST, { by: authority, names: `DNS:${HOST},IP:${host}` });
  const [port, plainPort] = [await freePort(host), await freePort(host)];
  const listener = (at: number): object => ({
    address: `${host}:${at}`,
    tls: { certificates: [{ cert, key }] },
  });
  const [blueUrl, greenUrl] = options.targets ?? [blue.url, green.url];
  const service = {
    name: 'shop',
    health: { kind: 'none' },
    blue: { targets: [blueUrl], release: 'v1' },
    green: { targets: [greenUrl], release: 'v2' },
    ...options.service,
  };
  const file = join(temporaryDirectory(t), 'turnout.yaml');
  const redirect = { address: `${host}:${plainPort}`, redirect: port };
  const write = (extra: readonly object[], others: object): void => {
    const listen = [listener(port), redirect, ...extra];
    const { workers = 2, stopDeadline = '60s' } = options;
    const shared = { watch: false, workers, stop: { deadline: stopDeadline } };
    writeFileSync(file, JSON.stringify({ ...shared, ...others, listen, services: [service] }));
  };
  write([], {});
  const pids: number[] = [];
  const state = ['--state', temporaryDirectory(t)];
  t.teardown(() => {
    for (const pid of pids) kill(pid);
  });
  const running = await startAsGiven(t, ['--config', file, '--admin', '127.0.0.1:0', ...state]);
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  const post = async (path: string, body: object): Promise<Readonly<Record<string, unknown>>> => {
    // A connection of its own: after an upgrade another process answers operators.
    const caller = new AdminClient(running.admin);
    const { status, json, text } = await caller.post(path, body);
    caller.close();
    if (status !== 200) throw new Error(`expected 200 of ${path}, got ${status} ${text}`);
    return json;
  };
  return {
    blue,
    green,
    running,
    admin,
    door: { host, port, servername: HOST, ca: authority.certText },
    caFile: authority.cert,
    certFile: cert,
    plain: { host, port: plainPort },
    listener,
    async switchTo(to) {
      await post('/v1/switch', { to });
    },
    async reload(extra = [], others = {}) {
      write(extra, others);
      await post('/v1/reload', {});
    },
    async upgrade() {
      const pid = Number((await post('/v1/upgrade', {}))['pid']);
      pids.push(pid);
      return pid;
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Asks once and reads all; on a connection of its own where `agent` is false. */
export async function ask(
  door: Door,
  agent: Agent | false,
  options: RequestOptions = {},
): Promise<Answer> {
  const headers = { host: HOST, ...(options.headers as Record<string, string> | undefined) };
  const asked = request({ ...door, agent, ...options, headers });
  asked.end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of answer) text += String(part);
  return { status: Number(answer.statusCode), headers: answer.headers, text };
}

/** Returns the pair of name and value that the client sends back; undefined: no cookie was set. */
export function cookieOf({ headers }: Answer): string | undefined {
  return headers['set-cookie']?.[0]?.split(';', 1)[0];
}
