// Signals and starts, with a daemon that only remembers what it was told.

import { EventEmitter } from 'node:events';
import t from 'tap';
import { runDaemon } from '../../../../src/cli/process/run.ts';
import type { Config } from '../../../../src/config/config.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import { fakeTerminal } from '../support/terminal.ts';
import { NamedFilesError, type Daemon } from '../../../../src/control-plane/daemon.ts';

interface Stage {
  readonly signals: EventEmitter;
  readonly told: string[];
  readonly printed: string[];
  /** Lets a stop that waits end. */
  readonly finishStop: () => void;
  readonly exit: Promise<number>;
}

function stage({ start }: { readonly start?: (config: Config) => Promise<Daemon> } = {}): Stage {
  const signals = new EventEmitter();
  const told: string[] = [];
  const printed: string[] = [];
  const stopping = Promise.withResolvers<void>();
  const address = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const;
  const daemon = {
    proxyAddress: address,
    adminAddress: address,
    handedOver: new Promise(() => {}),
    log: { warn: (_: object, text: string) => told.push(`warn ${text}`) },
    reload: async (by: string) => void told.push(`reload by ${by}`),
    summary: () => 'all is well',
    stop: async () => {
      told.push('stop');
      await stopping.promise;
    },
    cut: async () => {
      told.push('cut');
    },
  } as unknown as Daemon;
  const print = (text: string): void => void printed.push(text);
  const terminal = { ...fakeTerminal(), out: print, err: print };
  const exit = runDaemon(terminal, config(), {
    onReady: () => told.push('ready'),
    signals,
    start: start ?? (async () => daemon),
  });
  return { signals, told, printed, finishStop: stopping.resolve, exit };
}

function config(): Config {
  const flags = { blue: 'http://b:1' };
  const loaded = loadConfig({
    file: '',
    environment: {},
    flags,
    machine: { platform: 'linux', cpus: 1, descriptors: Infinity },
  });
  if (!loaded.ok) throw new Error('expected a configuration');
  return loaded.config;
}

async function turn(): Promise<void> {
  await new Promise(setImmediate);
}

await t.test('the first signal stops in order, and that is a success', async (t) => {
  for (const name of ['SIGTERM', 'SIGINT']) {
    const { signals, told, finishStop, exit } = stage();
    await turn();
    signals.emit(name, name);
    finishStop();
    t.equal(await exit, 0);
    t.same(told, ['ready', 'stop']);
  }
});

await t.test('a second signal cuts, and that is a failure', async (t) => {
  const { signals, told, exit } = stage();
  await turn();
  signals.emit('SIGTERM', 'SIGTERM');
  signals.emit('SIGINT', 'SIGINT');
  t.equal(await exit, 1);
  t.same(told, ['ready', 'stop', 'cut']);
});

await t.test('the echo of a signal that npm sends along is not a second one', async (t) => {
  const { signals, told, finishStop, exit } = stage();
  await turn();
  signals.emit('SIGINT', 'SIGINT');
  signals.emit('SIGINT', 'SIGINT');
  await turn();
  finishStop();
  t.equal(await exit, 0);
  t.same(told, ['ready', 'stop']);
});

await t.test('a signal during the start stops as soon as it is possible', async (t) => {
  const { signals, told, finishStop, exit } = stage();
  signals.emit('SIGTERM', 'SIGTERM');
  finishStop();
  t.equal(await exit, 0);
  t.same(told, ['ready', 'stop']);
});

await t.test('SIGHUP ends nothing and reads the configuration again', async (t) => {
  const { signals, told, finishStop, exit } = stage();
  signals.emit('SIGHUP', 'SIGHUP');
  await turn();
  signals.emit('SIGHUP', 'SIGHUP');
  t.same(told, ['ready', 'reload by SIGHUP']);
  signals.emit('SIGTERM', 'SIGTERM');
  finishStop();
  t.equal(await exit, 0);
});

await t.test('files that are wrong are faults of the configuration', async (t) => {
  const faults = ['/a.pem is empty', '/b.key is not the key of /b.pem'];
  const { printed, exit } = stage({
    start: async () => {
      throw new NamedFilesError('certificates', faults, undefined);
    },
  });
  t.equal(await exit, 64);
  const end = 'turnout: 2 faults in the configuration, nothing was started';
  t.strictSame(printed, [...faults, end], 'a line each');
});

await t.test('a start that fails is one line and exit code 1', async (t) => {
  const { printed, signals, exit } = stage({
    start: async () => {
      throw new Error('listen 127.0.0.1:1: address in use');
    },
  });
  t.equal(await exit, 1);
  t.same(printed, ['turnout: listen 127.0.0.1:1: address in use']);
  t.same(signals.eventNames(), [], 'nobody listens for signals any more');
});
