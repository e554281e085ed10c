// The table of peers: what each is, whether it is here, and how it is started.
// Every one gets one worker or thread unless a row asks for more.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, hasCommand, type Place } from '../harness/child.ts';
import { answersWithin, freePort, LOOPBACK } from '../harness/ports.ts';
import { haproxyTls, nginxTls, type TlsFiles } from './tls.ts';
import { fill } from '../origin/origin.ts';

export interface Peer {
  readonly name: string;
  /** The floor understands no HTTP, so it is not checked for forwarding fields. */
  readonly isFloor: boolean;
  /** False: only measured when asked for by name. */
  readonly isInTable: boolean;
  /** It can be started with `PeerSetup.tls`. */
  readonly canSpeakTls: boolean;
  /** Where it comes from when it is missing. */
  readonly source: 'this repository' | 'Debian' | 'npm';
  readonly isHere: () => boolean;
  readonly version: () => string;
  /** Writes what it needs into `setup.dir` and returns the command that stays in the foreground. */
  readonly command: (setup: PeerSetup) => PeerCommand;
}

interface PeerSetup {
  /** Directory for the files of this peer; each gets one of its own below it. */
  readonly dir: string;
  readonly listenPort: number;
  readonly adminPort: number;
  readonly originPort: number;
  /** Second color where a peer has one; the same origin when it is left out. */
  readonly greenPort?: number;
  /** Where it runs; without it, one worker has the core of the proxy and more are free. */
  readonly place?: Place;
  readonly workers: number;
  /** Clients come by TLS; else in the clear. */
  readonly tls?: TlsFiles;
  /** Turnout as it is shipped, compiled, instead of from its sources; `buildTurnout` first. */
  readonly isBuilt?: boolean;
  /** More flags for Turnout. */
  readonly turnoutFlags?: readonly string[];
  /** Flags for Node where the peer is a Node program: profilers, heap sizes. */
  readonly nodeFlags: readonly string[];
}

interface PeerCommand {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A started peer that has answered; the caller stops `child`. */
export interface RunningPeer {
  readonly peer: Peer;
  readonly child: Child;
  readonly port: number;
  readonly adminPort: number;
  /** Clients come by TLS. */
  readonly isTls: boolean;
  /** From the start of the process to its first answer of the origin. */
  readonly readyMs: number;
}

const ROOT = join(import.meta.dirname, '../..');
const START_WITHIN_MS = 15_000;

export const PEERS: readonly Peer[] = [
  {
    name: 'turnout',
    isFloor: false,
    isInTable: true,
    canSpeakTls: true,
    source: 'this repository',
    isHere: () => existsSync(join(ROOT, 'src/main.ts')),
    version: () => packageVersion(join(ROOT, 'package.json')),
    command: turnoutCommand,
  },
  debianPeer('nginx', ['-v'], (setup) => {
    const path = writeConfiguration('nginx.conf', setup, nginxTls(setup.tls));
    return { command: ['nginx', '-e', 'stderr', '-p', setup.dir, '-c', path] };
  }),
  debianPeer('haproxy', ['-v'], (setup) => ({
    command: [
      'haproxy',
      '-q',
      '-f',
      writeConfiguration('haproxy.cfg', setup, haproxyTls(setup.tls)),
    ],
  })),
  debianPeer('caddy', ['version'], (setup) => ({
    command: [
      'caddy',
      'run',
      '--adapter',
      'caddyfile',
      '--config',
      writeConfiguration('Caddyfile', setup),
    ],
    environment: { GOMAXPROCS: String(setup.workers), XDG_DATA_HOME: setup.dir, HOME: setup.dir },
  })),
  npmPeer('http-proxy-3', 'http-proxy-3.ts'),
  npmPeer('@fastify/http-proxy', 'fastify-http-proxy.ts'),
  {
    name: 'plane',
    isFloor: false,
    isInTable: false,
    canSpeakTls: false,
    source: 'this repository',
    isHere: () => existsSync(join(ROOT, 'src/data-plane/plane.ts')),
    version: () => 'the data plane alone, on a main thread',
    command: nodeCommand('plane.ts'),
  },
  {
    name: 'plane-shadowed',
    isFloor: false,
    isInTable: false,
    canSpeakTls: false,
    source: 'this repository',
    isHere: () => existsSync(join(ROOT, 'src/data-plane/plane.ts')),
    version: () => 'the data plane alone, with a tenth of the requests copied',
    command: nodeCommand('plane.ts', '1000'),
  },
  {
    name: 'byte-pump',
    isFloor: true,
    isInTable: true,
    canSpeakTls: false,
    source: 'this repository',
    isHere: () => true,
    version: () => `node:net of ${process.version}`,
    command: nodeCommand('byte-pump.ts'),
  },
];

/** Returns the peer called `name`; throws with the known names when there is none. */
export function peerNamed(name: string): Peer {
  const found = PEERS.find((peer) => peer.name === name);
  if (found !== undefined) return found;
  throw new Error(`expected a peer of ${PEERS.map((peer) => peer.name).join(', ')}, got ${name}`);
}

/** Starts `peer` on the core of the proxy and waits for its first answer. */
export async function startPeer(
  peer: Peer,
  options: Omit<PeerSetup, 'listenPort' | 'adminPort'>,
): Promise<RunningPeer> {
  const isTls = options.tls !== undefined;
  const dir = join(options.dir, peer.name.replace(/\W/g, '_') + (isTls ? '-tls' : ''));
  mkdirSync(dir, { recursive: true });
  const [listenPort, adminPort] = [await freePort(), await freePort()];
  const { command, environment } = peer.command({ ...options, dir, listenPort, adminPort });
  const place = options.place ?? (options.workers === 1 ? 'proxy' : 'anywhere');
  const startedMs = performance.now();
  const child = new Child(command, { place, ...(environment && { environment }) });
  const isReady = await answersWithin(listenPort, {
    path: '/healthz',
    isTls,
    withinMs: START_WITHIN_MS,
    isAlive: () => child.isRunning,
  });
  const readyMs = performance.now() - startedMs;
  if (isReady) return { peer, child, port: listenPort, adminPort, isTls, readyMs };
  await child.stop();
  throw new Error(`${peer.name} does not answer: ${child.output.slice(-2_000)}`);
}

/** Compiles the sources to `dist/`, as the package is built. */
export function buildTurnout(): void {
  const { status, stderr } = spawnSync('npm', ['run', '-s', 'build'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`expected the build to pass, got ${stderr}`);
}

function turnoutCommand(setup: PeerSetup): PeerCommand {
  const blue = `http://${LOOPBACK}:${setup.originPort}`;
  const green = `http://${LOOPBACK}:${setup.greenPort ?? setup.originPort}`;
  return {
    command: [
      process.execPath,
      ...setup.nodeFlags,
      join(ROOT, setup.isBuilt === true ? 'dist/main.js' : 'src/main.ts'),
      'run',
      '--listen',
      `${LOOPBACK}:${setup.listenPort}`,
      '--admin',
      `${LOOPBACK}:${setup.adminPort}`,
      '--blue',
      blue,
      '--green',
      green,
      '--workers',
      String(setup.workers),
      '--state',
      setup.dir,
      ...(setup.tls ? ['--tls-cert', setup.tls.cert, '--tls-key', setup.tls.key] : []),
      ...(setup.turnoutFlags ?? []),
    ],
  };
}

function debianPeer(
  name: string,
  versionArguments: readonly string[],
  command: Peer['command'],
): Peer {
  const version = (): string => {
    const { stdout, stderr } = spawnSync(name, versionArguments, { encoding: 'utf8' });
    return /\d+\.\d+(\.\d+)?\S*/.exec(stdout + stderr)?.[0] ?? 'unknown';
  };
  return {
    name,
    isFloor: false,
    isInTable: true,
    canSpeakTls: name !== 'caddy',
    source: 'Debian',
    isHere: () => hasCommand(name),
    version,
    command,
  };
}

function npmPeer(name: string, file: string): Peer {
  const manifest = join(ROOT, 'node_modules', name, 'package.json');
  return {
    name,
    isFloor: false,
    isInTable: true,
    canSpeakTls: false,
    source: 'npm',
    isHere: () => existsSync(manifest),
    version: () => packageVersion(manifest),
    command: nodeCommand(file),
  };
}

function nodeCommand(file: string, ...more: readonly string[]): Peer['command'] {
  return (setup) => ({
    command: [
      process.execPath,
      ...setup.nodeFlags,
      join(import.meta.dirname, file),
      String(setup.listenPort),
      String(setup.originPort),
      ...more,
    ],
    // Express-style servers are slower in development mode, and production does not use it.
    environment: { NODE_ENV: 'production' },
  });
}

function writeConfiguration(
  template: string,
  setup: PeerSetup,
  more: Readonly<Record<string, string>> = {},
): string {
  const path = join(setup.dir, template);
  const text = fill(join(import.meta.dirname, template), {
    dir: setup.dir,
    listen: `${LOOPBACK}:${setup.listenPort}`,
    listenPort: String(setup.listenPort),
    origin: `${LOOPBACK}:${setup.originPort}`,
    workers: String(setup.workers),
    ...more,
  });
  writeFileSync(path, text);
  return path;
}

function packageVersion(manifest: string): string {
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'));
  const isRecord = typeof parsed === 'object' && parsed !== null && 'version' in parsed;
  return isRecord ? String(parsed.version) : 'unknown';
}
