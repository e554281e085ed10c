// Child processes of a bench: started on a core of their own, ended whatever happens.
// Ends only what it started, by process id.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { processTree } from './process-tree.ts';

/** Where a process runs: the measured one has `proxy` alone, everything else shares `load`. */
export type Place = 'load' | 'proxy' | 'anywhere';

/** True where the two places are two cores. */
export const isPinned = spawnSync('taskset', ['-c', '0,1', 'true']).status === 0;

const CORES_OF_PLACE = { load: '0', proxy: '1', anywhere: `0-${cpus().length - 1}` } as const;
const STOP_PATIENCE_MS = 3_000;
const OUTPUT_CHARACTERS_KEPT = 64 * 1024;
const running = new Set<Child>();

export interface ChildOptions {
  readonly place: Place;
  readonly environment?: Readonly<Record<string, string>>;
  /** Added to the niceness, 0 to 19. */
  readonly isBackground?: boolean;
}

/** A started process; `stop` ends it and its descendants. */
export class Child {
  readonly pid: number;
  /** Resolves with the exit code, or −1 after a signal. */
  readonly exited: Promise<number>;
  readonly process: ChildProcess;
  #output = '';

  constructor(command: readonly string[], options: ChildOptions) {
    const [file, ...args] = placed(command, options);
    this.process = spawn(file!, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
    });
    this.pid = this.process.pid ?? -1;
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        if (this.#output.length > 2 * OUTPUT_CHARACTERS_KEPT) {
          this.#output = this.#output.slice(-OUTPUT_CHARACTERS_KEPT);
        }
      });
    }
    running.add(this);
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => {
        this.#output += String(error);
        running.delete(this);
        resolve(-1);
      });
      // `close` comes after the last output, `exit` may come before it.
      this.process.once('close', (code) => {
        running.delete(this);
        resolve(code ?? -1);
      });
    });
  }

  /** The end of what the process has printed so far, both streams. */
  get output(): string {
    return this.#output;
  }

  get isRunning(): boolean {
    return running.has(this);
  }

  /** Asks the process to end, insists after three seconds; resolves when it has gone. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const members = processTree(this.pid);
    this.process.kill('SIGTERM');
    const isGone = await Promise.race([
      this.exited.then(() => true),
      delay(STOP_PATIENCE_MS, false, { ref: false }),
    ]);
    if (!isGone) for (const pid of members) signal(pid, 'SIGKILL');
    await this.exited;
  }
}

/** Runs `command` to its end; returns what it printed. Throws when it fails or takes too long. */
export async function runToEnd(
  command: readonly string[],
  options: ChildOptions & { readonly withinMs: number },
): Promise<string> {
  const child = new Child(command, options);
  const code = await Promise.race([
    child.exited,
    delay(options.withinMs, undefined, { ref: false }),
  ]);
  if (code === 0) return child.output;
  await child.stop();
  const ending = code === undefined ? `no end within ${options.withinMs} ms` : `exit ${code}`;
  throw new Error(`${command.join(' ').slice(0, 200)}: ${ending}: ${child.output.slice(-2_000)}`);
}

/** True when `command` is found on the path. */
export function hasCommand(command: string): boolean {
  return spawnSync('which', [command], { env: pathWithSystem() }).status === 0;
}

/** Debian keeps daemons in sbin, which is not on every user's path. */
function pathWithSystem(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
}
process.env['PATH'] = pathWithSystem()['PATH'];

// This process reads what the others print; it must not do so on the core of the proxy.
if (isPinned) spawnSync('taskset', ['-cp', CORES_OF_PLACE.load, String(process.pid)]);

function placed(command: readonly string[], options: ChildOptions): readonly string[] {
  const nice = options.isBackground === true ? ['nice', '-n', '19'] : [];
  const pin = isPinned ? ['taskset', '-c', CORES_OF_PLACE[options.place]] : [];
  return [...pin, ...nice, ...command];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has gone by itself.
  }
}

process.once('exit', () => {
  for (const child of running) child.process.kill('SIGTERM');
});
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
