// Orders at Pebble, with a keeper that answers challenges itself: what tests of ACME without the rest of
// the program begin with.

import { X509Certificate } from 'node:crypto';
import type { Test } from 'tap';
import { AcmeFiles } from '../../src/control-plane/acme/acme-files.ts';
import { AcmeOrders } from '../../src/control-plane/acme/acme-orders.ts';
import type { AcmeCertificate, AcmeSettings } from '../../src/control-plane/acme/acme-types.ts';
import { acmeResponder, type AcmeResponder } from '../support/acme-responder.ts';
import { skipWithout } from '../support/installed.ts';
import { startPebble, type Pebble, type PebbleOptions } from '../support/pebble.ts';
import { TestLog } from '../unit/control-plane/support/fixtures.ts';
import { temporaryDirectory } from './turnout-process.ts';

/** Why a test is skipped, or false. */
export const skip = skipWithout('pebble', 'pebble-challtestsrv', 'openssl');

export interface AcmeScene {
  readonly pebble: Pebble;
  readonly responder: AcmeResponder;
  /** The state directory. */
  readonly dir: string;
  readonly log: TestLog;
  /** Starts to order for `www.shop.test`, or what the settings say. */
  readonly begin: (more?: Partial<AcmeSettings>) => AcmeOrders;
}

export async function acmeScene(t: Test, options: PebbleOptions = {}): Promise<AcmeScene> {
  const pebble = await startPebble(t, options);
  const responder = await acmeResponder(t, pebble);
  const dir = temporaryDirectory(t);
  const log = new TestLog();
  const plain = {
    domains: ['www.shop.test'],
    ca: pebble.directory,
    caFile: pebble.caFile,
    email: 'ops@shop.test',
    challenge: 'http-01',
    externalAccount: undefined,
  } as const;
  const begin = (more: Partial<AcmeSettings> = {}): AcmeOrders => {
    const files = new AcmeFiles(dir, log);
    const settings = { ...plain, ...more };
    const acme = new AcmeOrders({ settings, files, keeper: responder, log });
    t.teardown(async () => acme.stop());
    acme.start();
    return acme;
  };
  return { pebble, responder, dir, log, begin };
}

/** Every domain has a certificate of an authority. */
export function areObtained(certificates: readonly AcmeCertificate[]): boolean {
  return certificates.length > 0 && certificates.every(({ isSelfSigned }) => !isSelfSigned);
}

/** Tells whether Pebble has signed a certificate for its domain. */
export async function isFrom(pebble: Pebble, { chain, domain }: AcmeCertificate): Promise<boolean> {
  const [own, intermediate] = chain
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .map((pem) => new X509Certificate(pem));
  const root = new X509Certificate(await pebble.root());
  return (
    own!.verify(intermediate!.publicKey) &&
    intermediate!.verify(root.publicKey) &&
    own!.checkHost(domain) === domain
  );
}

/** Resolves with the words of the first failure. */
export async function firstProblem({ log }: Pick<AcmeScene, 'log'>): Promise<string> {
  const [line] = await log.until(/no certificate was obtained/);
  return (line!.fields as { readonly problem: string }).problem;
}
