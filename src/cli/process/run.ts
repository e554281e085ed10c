// `turnout run`: the daemon in the foreground. Signals are heard here and nowhere else.

import { countText } from '../../base/count-text.ts';
import { letHeapGrow } from '../../base/heap-growth.ts';
import { leaveOutputAsItIs } from '../../base/log-outlet.ts';
import { printAddress } from '../../contract/worker-settings.ts';
import type { Config } from '../../config/config.ts';
import { NamedFilesError, startDaemon, type Daemon } from '../../control-plane/daemon.ts';
import { readInheritance } from '../../control-plane/listening/inheritance.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { faultNowhere, loadLocalConfig, printFaults } from '../steps/local-config.ts';
import { styledError, type Terminal } from '../terminal/print.ts';
import { ServiceManager } from './service-manager.ts';

export interface RunFlags {
  /** Path of the file; empty for none. */
  readonly config: string;
  /** Flags of settings, without dashes. */
  readonly settings: Readonly<Record<string, string>>;
  readonly json: boolean;
}

/** Runs until a signal ends it. */
export async function run(terminal: Terminal, flags: RunFlags): Promise<ExitCode> {
  const sources = { file: flags.config, flags: flags.settings };
  const loaded = loadLocalConfig(terminal.environment, sources);
  if (!loaded.ok) {
    printFaults(terminal, { ...loaded, json: flags.json });
    tellPredecessor(
      `the configuration has ${countText(loaded.faults.length, 'fault')}; see the log`,
    );
    return EXIT.usage;
  }
  const { config, warnings } = loaded;
  const manager = new ServiceManager(terminal.environment);
  let running: Daemon | undefined;
  return await runDaemon(terminal, config, {
    manager,
    json: flags.json,
    start: async (config) =>
      startDaemon(config, {
        inheritance: readInheritance(terminal.environment, process.pid),
        command: {
          file: process.execPath,
          args: [...process.execArgv, ...process.argv.slice(1)],
          environment: terminal.environment,
        },
        source: {
          said: loaded.said,
          load: () => loadLocalConfig(terminal.environment, sources),
          file: flags.config || (terminal.environment['TURNOUT_CONFIG'] ?? ''),
        },
        onChange: () => {
          if (running !== undefined) manager.status(running.summary());
        },
      }),
    onReady: (daemon) => {
      for (const warning of warnings) daemon.log.warn({}, warning);
      manager.onTrouble = (why) => daemon.log.warn({}, why);
      manager.ready(process.pid, daemon.summary());
      running = daemon;
      if (terminal.isInteractive) greet(terminal, daemon);
      void daemon.handedOver.then(leaveOutputAsItIs);
      // From then on the new process tells what is active.
      void daemon.handedOver.then(() => (running = undefined));
    },
  });
}

/** Signals that stop, and what tells a second one from an echo of the first. */
interface Signals {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown;
}

interface RunParts {
  readonly onReady: (daemon: Daemon) => void;
  /** Default: those of this process. */
  readonly signals?: Signals;
  /** Default: none. */
  readonly manager?: ServiceManager;
  /** Faults are told as one document. */
  readonly json?: boolean;
  /** Default: the real one. */
  readonly start?: (config: Config) => Promise<Daemon>;
}

/**
 * Starts the daemon and waits for its end. The first SIGTERM or SIGINT stops it in order (0),
 * the second cuts it (1). SIGHUP reads the configuration again.
 */
export async function runDaemon(
  terminal: Terminal,
  config: Config,
  {
    onReady,
    signals = process,
    manager = new ServiceManager({}),
    json = false,
    start = startDaemon,
  }: RunParts,
): Promise<ExitCode> {
  const ears = listen(signals);
  try {
    const daemon = await start(config);
    letHeapGrow(); // All is loaded; what comes now is work.
    ears.onReload = () => void reload(daemon, manager); // It never rejects.
    onReady(daemon);
    const isHandedOver = daemon.handedOver.then(() => true);
    // After an upgrade the service goes on: its last word is that of the new process.
    if (!(await Promise.race([ears.stop.then(() => false), isHandedOver]))) {
      manager.stopping('Stopping: what runs may finish until the deadline');
    }
    const code = await end(daemon, ears.cut);
    await manager.settle();
    return code;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    tellPredecessor(message);
    if (error instanceof NamedFilesError) {
      const faults = error.faults.map(faultNowhere);
      printFaults(terminal, { faults, warnings: [], json });
      return EXIT.usage;
    }
    terminal.err(styledError(terminal, 'red', `turnout: ${message}`));
    return EXIT.failed;
  } finally {
    ears.close();
  }
}

async function reload(daemon: Daemon, manager: ServiceManager): Promise<void> {
  manager.reloading();
  await daemon.reload('SIGHUP', 'SIGHUP was sent');
  manager.ready(process.pid, daemon.summary());
}

/** The process that started this one to take over should say why that failed. */
function tellPredecessor(message: string): void {
  if (process.connected) process.send?.({ kind: 'failed', message });
}

async function end(daemon: Daemon, cut: Promise<void>): Promise<ExitCode> {
  const stopped = daemon.stop().then(() => 'stopped' as const);
  const outcome = await Promise.race([stopped, cut.then(() => 'cut' as const)]);
  if (outcome === 'stopped') return EXIT.done;
  await daemon.cut();
  return EXIT.failed;
}

/**
 * npm passes Ctrl-C on to a process that the terminal has told already. So the same signal
 * again counts as a second one only when it comes this much later: slower than npm, faster
 * than a hand.
 */
const ECHO_MS = 150;

interface Ears {
  readonly stop: Promise<void>;
  readonly cut: Promise<void>;
  onReload: () => void;
  close(): void;
}

function listen(signals: Signals): Ears {
  const stop = Promise.withResolvers<void>();
  const cut = Promise.withResolvers<void>();
  let first: { readonly name: NodeJS.Signals; readonly atMs: number } | undefined;
  const onEnd = (name: NodeJS.Signals): void => {
    const atMs = performance.now();
    if (first === undefined) {
      first = { name, atMs };
      stop.resolve();
    } else if (name !== first.name || atMs - first.atMs > ECHO_MS) {
      cut.resolve();
    }
  };
  const onHangUp = (): void => {
    ears.onReload();
  };
  const ears: Ears = {
    stop: stop.promise,
    cut: cut.promise,
    // Before there is a daemon: the signal is taken, so that it does not end the process.
    onReload: () => {},
    close: () => {
      signals.off('SIGTERM', onEnd);
      signals.off('SIGINT', onEnd);
      signals.off('SIGHUP', onHangUp);
    },
  };
  signals.on('SIGTERM', onEnd);
  signals.on('SIGINT', onEnd);
  signals.on('SIGHUP', onHangUp);
  return ears;
}

function greet(terminal: Terminal, { proxyAddress, adminAddress }: Daemon): void {
  const admin = printAddress(adminAddress);
  terminal.err(`traffic comes in on ${printAddress(proxyAddress)}, commands on ${admin}`);
  terminal.err('`turnout status` shows what is active; Ctrl-C stops, twice cuts');
}
