// A reload as the process makes it: a text that is really read, a real switchboard, and listeners and
// a log of which the test keeps the books.

import { loadText, type Loaded } from '../../../../src/config/load.ts';
import { AuditLog } from '../../../../src/control-plane/audit/audit-log.ts';
import { LiveConfig } from '../../../../src/control-plane/reload/live-config.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import type { SpotCheck } from '../../../../src/control-plane/switching/checks/spot-check.ts';
import { Reloader, type ReloadRequest } from '../../../../src/control-plane/reload/reloader.ts';
import type { Deployment } from '../../../../src/contract/table.ts';
import type { TargetHealth } from '../../../../src/control-plane/switching/checks/switch-check.ts';
import { board, change } from './board.ts';

const DEFAULT = `
  - name: default
    health: { kind: none }
    blue: { targets: ["http://127.0.0.1:3001"] }
    green: { targets: ["http://127.0.0.1:3002"] }`;
export const SHOP = DEFAULT.replace('default', 'shop').replace(
  'health',
  'hosts: [shop.example]\n    health',
);
export const FIRST = `services: ${DEFAULT}`;
export const OTHER = `exposeColor: true\n${FIRST}`;

export function request(changes: Partial<ReloadRequest> = {}): ReloadRequest {
  return { ...change({ actor: 'SIGHUP' }), dryRun: false, ...changes };
}

const UP: TargetHealth = { state: 'up', reason: '' };

type Opened = 'open' | 'used' | 'closed';

export function scene() {
  const file = { text: FIRST, cpus: 2 };
  const load = (): Loaded => {
    const machine = { platform: 'linux', cpus: file.cpus, descriptors: Infinity };
    return loadText('turnout.yaml', file.text, { environment: {}, flags: {}, machine });
  };
  const first = load();
  if (!first.ok) throw new Error(first.faults[0]!.message);
  const parts = board(first.config.services);
  const { switchboard, store, slots, log } = parts;
  const live = new LiveConfig(first);
  const audit = new AuditLog({ store, log });
  const listeners: Opened[] = [];
  const doors = { fault: undefined as OperatorError | undefined, warnings: [] as string[] };
  const open = async () => {
    if (doors.fault !== undefined) throw doors.fault;
    const at = listeners.push('open') - 1;
    return {
      warnings: doors.warnings,
      use: () => void (listeners[at] = 'used'),
      close: async () => void (listeners[at] = 'closed'),
    };
  };
  const files = { looks: 0, wrong: [] as string[] };
  const lookAtFiles = async (): Promise<string[]> => {
    files.looks++;
    return files.wrong;
  };
  const checkFiles = async (): Promise<string[]> => {
    if (doors.fault !== undefined) throw doors.fault;
    return doors.warnings;
  };
  const asked: Deployment[] = [];
  const answers = { health: UP, ours: new Set<string>() };
  const spotCheck: SpotCheck = async ({ deployment }) => {
    asked.push(deployment);
    return () => [answers.health];
  };
  const findPlaces = async () => parts.hooks.places;
  const health = () => [UP];
  const oursAmong = async () => answers.ours;
  const own = {
    live,
    switchboard,
    slots,
    checkFiles,
    lookAtFiles,
    open,
    audit,
    log,
    spotCheck,
    health,
    findPlaces,
    oursAmong,
  };
  const reloader = new Reloader({ ...own, load });
  /** Reads `text` instead. */
  const reload = async (text: string, changes: Partial<ReloadRequest> = {}) => {
    file.text = text;
    return reloader.reload(request(changes));
  };
  const entries = async () => audit.latest({ services: undefined, before: undefined, limit: 100 });
  const blind = new Reloader({ ...own, load: undefined });
  return {
    ...parts,
    file,
    live,
    reload,
    reloader,
    blind,
    doors,
    files,
    listeners,
    entries,
    asked,
    answers,
  };
}

/** The same with named releases; blue is active. */
export function named(blue: string, bluePort: number, green = 'v2', greenPort = 3002): string {
  return `
services:
  - name: default
    health: { kind: none }
    blue: { release: ${blue}, targets: ["http://127.0.0.1:${bluePort}"] }
    green: { release: ${green}, targets: ["http://127.0.0.1:${greenPort}"] }`;
}

/** Releases with names are in force. */
export async function withNames() {
  const parts = scene();
  await parts.reload(named('v1', 4001, 'v2', 4002));
  parts.asked.length = 0;
  return parts;
}
