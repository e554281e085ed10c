// A state directory as a version before deployments has left it, and what its clients were told.

import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FIXTURES = new URL('../store/fixtures/', import.meta.url).pathname;

/** What clients and operators were told by the process that has written the file. */
interface Told {
  readonly madeAtMs: number;
  readonly generation: number;
  readonly auditHead: { readonly seq: number; readonly hash: string };
  readonly history: readonly { readonly generation: number; readonly service: string }[];
  readonly token: string;
  readonly revoked: string;
  readonly switchAnswer: string;
  readonly shopBlueCookie: string;
  readonly shopGreenCookie: string;
  readonly bankBlueCookie: string;
  readonly bankGreenCookie: string;
  readonly newsBlueCookie: string;
  readonly newsGreenCookie: string;
}

export const LANDED = JSON.parse(readFileSync(join(FIXTURES, 'landed.json'), 'utf8')) as Told;

/** Puts the file and its keys into `dir`, as a process would find them. */
export function landIn(dir: string): void {
  mkdirSync(dir, { recursive: true });
  for (const [from, to] of [
    ['landed.db', 'turnout.db'],
    ['landed.keys', 'signing.keys'],
  ] as const) {
    copyFileSync(join(FIXTURES, from), join(dir, to));
    chmodSync(join(dir, to), 0o600);
  }
}
