// Two WebSocket servers, a Turnout process between, and many clients: the stage of the tests in
// which thousands of them are moved.

import type { Test } from 'tap';
import { startTurnout, type Running } from '../e2e/turnout-process.ts';
import { AdminClient } from './admin-client.ts';
import {
  startWsClients,
  startWsServer,
  type ClientsPlan,
  type WsClients,
  type WsServer,
} from './ws-children.ts';
import { nowMs } from './ws-evenness.ts';

export interface WsBench {
  readonly blue: WsServer;
  readonly green: WsServer;
  readonly running: Running;
  readonly admin: AdminClient;
  readonly clients: WsClients;
  /** Switches or rolls back; resolves with when the call began, in ms since the epoch. */
  readonly change: (what: 'switch' | 'rollback') => Promise<number>;
}

/** Starts everything; blue is active, green is up. `flags` are settings of Turnout: name, value. */
export async function startWsBench(
  t: Test,
  flags: Readonly<Record<string, string>>,
  plan: Pick<ClientsPlan, 'deflateOneIn' | 'reconnects'>,
): Promise<WsBench> {
  const seed = Date.now() % 2 ** 30;
  t.comment(`seed ${seed}`);
  const blue = await startWsServer(t, { color: 'blue', seed });
  const green = await startWsServer(t, { color: 'green', seed: seed + 1 });
  const all = { ...FLAGS, blue: blue.url, green: green.url, ...flags };
  const running = await startTurnout(
    t,
    Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]),
  );
  const url = `ws://${running.proxy}`;
  const clients = await startWsClients(t, { url, seed: seed + 2, ...plan });
  const admin = new AdminClient(running.admin);
  t.teardown(() => admin.close());
  await running.line((line) => line.includes(`green ${green.url} is up`));
  return {
    blue,
    green,
    running,
    admin,
    clients,
    async change(what) {
      const calledMs = nowMs();
      const answer = await admin.post(`/v1/${what}`, {});
      if (answer.status !== 200) throw new Error(`no ${what}: ${answer.text}`);
      return calledMs;
    },
  };
}

const FLAGS = {
  // No other host is served, so that the proxy itself responds to requests for one.
  hosts: '127.0.0.1',
  'health-interval': '500ms',
  'health-rise': '1',
  'access-log': 'off',
  'upstream-connections': '10000',
  // On a busy machine thousands of handshakes take their time.
  'upstream-connect-timeout': '60s',
  'client-head-timeout': '60s',
} as const;
