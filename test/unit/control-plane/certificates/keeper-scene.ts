// A keeper with what it gives the workers written down, and with time that a test lets pass.

import type { Test } from 'tap';
import type { CertificateSet } from '../../../../src/contract/certificates.ts';
import type { TlsSource } from '../../../../src/config/settings/built/build-listeners.ts';
import { CertificateKeeper } from '../../../../src/control-plane/certificates/certificate-keeper.ts';
import { skipWithout } from '../../../support/installed.ts';
import { TestLog } from '../support/fixtures.ts';
import { ManualTimers } from '../support/manual-timers.ts';
import type { Issued } from '../support/pki.ts';

export const skip = skipWithout('openssl');
export const DAY_MS = 86_400_000;
/** A moment later than all that is issued here begins. */
export const startMs = Date.now() + 60_000;

export function keeper(t: Test) {
  const log = new TestLog();
  const timers = new ManualTimers();
  const sets: CertificateSet[] = [];
  const clock = { offsetMs: 0 };
  const workers = { answer: async (_set: CertificateSet): Promise<void> => {} };
  const kept = new CertificateKeeper({
    log,
    timers,
    nowMs: () => startMs + clock.offsetMs + timers.nowMs,
  });
  const start = (): void =>
    kept.start(async (set) => {
      sets.push(set);
      await workers.answer(set);
    });
  t.teardown(() => kept.stop());
  return { kept, start, log, timers, sets, clock, workers };
}

export function listener(name: string, ...certificates: readonly Issued[]): TlsSource {
  return { listener: name, certificates, usesAcme: false, clientCa: undefined };
}

/** Which names each listener presents, the default first. */
export function shown({ doors, certificates }: CertificateSet): Record<string, string[]> {
  const nameOf = (id: string): string => certificates.find((one) => one.id === id)!.names.join(' ');
  return Object.fromEntries(doors.map((door) => [door.listener, door.certificates.map(nameOf)]));
}

/** What follows from what was resolved has happened. */
export async function settled(): Promise<void> {
  await new Promise(setImmediate);
}
