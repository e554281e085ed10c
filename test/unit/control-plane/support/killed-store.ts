// A store whose writer was killed at some moment, and what has to fit together in it then.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import {
  breakAtEnds,
  follow,
  parseRow,
  wayFrom,
} from '../../../../src/control-plane/store/audit-chain.ts';
import { activeNumber, deploymentOf } from '../../../../src/control-plane/store/service-state.ts';
import type { Store } from '../../../../src/control-plane/store/store.ts';

const DOOMED = fileURLToPath(new URL('./doomed.ts', import.meta.url));

/** The last write that was told: what, epoch and active color. */
export type Told = readonly [what: string, epoch: number, color: string];

/** Lets a process write in `dir` until it has told `count` writes, and kills it. */
export async function writeAndKill(dir: string, count: number): Promise<Told> {
  const child = spawn(process.execPath, [DOOMED, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  child.stdout.on('data', (chunk) => {
    told += String(chunk);
    if (told.split('\n').length > count) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const last = told.slice(0, told.lastIndexOf('\n')).split('\n').at(-1)!;
  const [what = '', epoch, color = ''] = last.split(' ');
  return [what, Number(epoch), color];
}

export interface Found {
  readonly epoch: number;
  /** What does not fit together; empty: all does. */
  readonly faults: readonly string[];
  readonly isChainWhole: boolean;
  /** Entries of calls that were refused. */
  readonly refusals: number;
}

/** Looks whether switches, entries and answers in `store` are those of its epoch. */
export function lookInto(store: Store): Found {
  const { epoch } = store.state;
  const faults = faultsOfTable(store);
  const { anchor, head } = store.audit.ends();
  const rows = store.audit.after(anchor.seq, 1_000_000);
  const end = follow(wayFrom(anchor), rows, store.audit.bounds);
  const isChainWhole = 'hash' in end && breakAtEnds(end, { anchor, head }) === undefined;
  const entries = rows.map((row) => parseRow(row));
  const done = entries.flatMap((one) => (one?.outcome === 'done' ? [one.generation] : []));
  const all = Array.from({ length: Math.max(0, epoch - 1) }, (_, index) => index + 2);
  if (isChainWhole && JSON.stringify(done) !== JSON.stringify(all)) {
    faults.push(`${done.length} changes have entries, ${all.length} were made`);
  }
  const answered = all.filter((one) => store.answers.find(`key-${one}`, 0) !== undefined);
  if (answered.length !== all.length) faults.push(`${answered.length} of ${all.length} answers`);
  return { epoch, faults, isChainWhole, refusals: entries.length - done.length };
}

/** What is active is what the last switch says, and each registration has its number. */
function faultsOfTable(store: Store): string[] {
  const { epoch, nextDeployment, services } = store.state;
  const service = services.get('default');
  const [last] = store.history({ service: 'default', limit: 1 });
  if (service === undefined) return epoch === 0 ? [] : ['the service is missing'];
  const { active, deployments } = service;
  const number = activeNumber(service);
  const is = { epoch: deploymentOf(service, number)?.servedSince, to: active, deployment: number };
  const { epoch: since, to, deployment } = last ?? { epoch: 1, to: 'blue', deployment: 1 };
  const told = { epoch: since, to, deployment };
  const highest = Math.max(...deployments.map((one) => one.number));
  return [
    ...(isDeepStrictEqual(is, told)
      ? []
      : [`the last switch was ${JSON.stringify(told)}, stored is ${JSON.stringify(is)}`]),
    ...(highest === nextDeployment - 1
      ? []
      : [`the last deployment is ${highest}, the next one ${nextDeployment}`]),
  ];
}
