// Starts the origin: nginx where it is installed, else the one on node:net.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, hasCommand } from '../harness/child.ts';
import { answersWithin, freePort, LOOPBACK } from '../harness/ports.ts';
import { bodyOf, CHUNKED_BYTES, KIBIBYTE, MEBIBYTE, scenarioNamed } from '../scenarios.ts';

export interface Origin {
  readonly kind: 'nginx' | 'node';
  readonly port: number;
  readonly child: Child;
}

const START_WITHIN_MS = 10_000;

/** Starts an origin whose files lie in `dir`; the caller stops `child`. */
export async function startOrigin(dir: string, kind?: Origin['kind']): Promise<Origin> {
  const port = await freePort();
  const chosen = kind ?? (hasCommand('nginx') ? 'nginx' : 'node');
  const command = chosen === 'nginx' ? nginxCommand(dir, port) : nodeOriginCommand(port, 'none');
  const child = new Child(command, { place: 'load' });
  const options = { path: '/healthz', withinMs: START_WITHIN_MS, isAlive: () => child.isRunning };
  if (await answersWithin(port, options)) return { kind: chosen, port, child };
  await child.stop();
  throw new Error(`expected the origin to answer on port ${port}, got: ${child.output}`);
}

/** Returns the command of the node:net origin; `color` is what `/color` answers. */
export function nodeOriginCommand(port: number, color: string): string[] {
  return [process.execPath, join(import.meta.dirname, 'serve.ts'), String(port), color];
}

function nginxCommand(dir: string, port: number): string[] {
  const files = join(dir, 'files');
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, '64k'), bodyOf(64 * KIBIBYTE));
  writeFileSync(join(files, '1m'), bodyOf(MEBIBYTE));
  writeFileSync(join(files, 'chunked'), bodyOf(CHUNKED_BYTES));
  const small = bodyOf(scenarioNamed('small').replyBodyBytes).toString('latin1');
  const configuration = fill(join(import.meta.dirname, 'nginx.conf'), {
    dir,
    small,
    origin: `${LOOPBACK}:${port}`,
  });
  const path = join(dir, 'origin.conf');
  writeFileSync(path, configuration);
  return ['nginx', '-e', 'stderr', '-p', dir, '-c', path];
}

/** Returns the template at `path` with every `{{name}}` replaced; throws on a name without a value. */
export function fill(path: string, values: Readonly<Record<string, string>>): string {
  return readFileSync(path, 'utf8').replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`expected a value for {{${name}}} in ${path}`);
    return value;
  });
}
