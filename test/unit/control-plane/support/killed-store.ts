// A store whose writer was killed at some moment, and what has to fit together in it then.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { breakAtHead, follow, parseRow } from '../../../../src/control-plane/store/audit-chain.ts';
import type { Store } from '../../../../src/control-plane/store/store.ts';

const DOOMED = fileURLToPath(new URL('./doomed.ts', import.meta.url));

/** The last write that was told: what, generation and active color. */
export type Told = readonly [what: string, generation: number, color: string];

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
  const [what = '', generation, color = ''] = last.split(' ');
  return [what, Number(generation), color];
}

export interface Found {
  readonly generation: number;
  /** What does not fit together; empty: all does. */
  readonly faults: readonly string[];
  readonly isChainWhole: boolean;
  /** Entries of calls that were refused. */
  readonly refusals: number;
}

/** Looks whether switches, entries and answers in `store` are those of its generation. */
export function lookInto(store: Store): Found {
  const { generation } = store.load();
  const faults = faultsOfTable(store);
  const { anchor, head } = store.audit.ends();
  const rows = store.audit.after(anchor.seq, 1_000_000);
  const end = follow(anchor, rows);
  const isChainWhole = 'hash' in end && breakAtHead(end, head) === undefined;
  const entries = rows.map((row) => parseRow(row));
  const done = entries.flatMap((one) => (one?.outcome === 'done' ? [one.generation] : []));
  const all = Array.from({ length: Math.max(0, generation - 1) }, (_, index) => index + 2);
  if (isChainWhole && JSON.stringify(done) !== JSON.stringify(all)) {
    faults.push(`${done.length} changes have entries, ${all.length} were made`);
  }
  const answered = all.filter((one) => store.answers.find(`key-${one}`, 0) !== undefined);
  if (answered.length !== all.length) faults.push(`${answered.length} of ${all.length} answers`);
  return { generation, faults, isChainWhole, refusals: entries.length - done.length };
}

/** The active color is that of the last switch; before the first one there is none. */
function faultsOfTable(store: Store): string[] {
  const { generation, services } = store.load();
  const service = services.get('default');
  const [last] = store.history({ service: 'default', limit: 1 });
  if (service === undefined) return generation === 0 ? [] : ['the service is missing'];
  const { since, active } = service;
  const [generationOfLast, to] = last === undefined ? [1, 'blue'] : [last.generation, last.to];
  if (generationOfLast === since && to === active) return [];
  return [`the last switch was ${generationOfLast} to ${to}, stored is ${since} to ${active}`];
}
