// Whether the end of this process is the end of its container: then nothing would be left to serve
// after an upgrade.

import { readFileSync } from 'node:fs';

export interface Standing {
  /** Pid of the process that started this one; 0: it is outside of the container. */
  readonly parent: number;
  /** What process 1 is called; empty: not known. */
  readonly init: string;
}

/** They run one program in a container, and end with it; shells too, unless told otherwise. */
const INITS: ReadonlySet<string> = new Set([
  'tini',
  'docker-init',
  'dumb-init',
  'catatonit',
  'podman-init',
  'sh',
  'ash',
  'dash',
  'bash',
]);

/** Returns how this process stands. */
export function ownStanding(): Standing {
  return { parent: process.ppid, init: nameOfInit() };
}

function nameOfInit(): string {
  try {
    return readFileSync('/proc/1/comm', 'utf8').trim();
  } catch {
    return ''; // Another system, or /proc is hidden.
  }
}

/** Tells whether a container ends with the process that stands so: as process 1, or right below it. */
export function endsContainer({ parent, init }: Standing): boolean {
  return parent === 0 || (parent === 1 && INITS.has(init));
}
