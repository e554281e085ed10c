// The reloader of a running daemon, tied to its parts. No rule lives here.

import { background, isProcessLog } from './base/log.ts';
import type { ListenAddress } from '../contract/worker-settings.ts';
import type { AcmeOrders } from './acme/acme-orders.ts';
import type { CertificateKeeper } from './certificates/certificate-keeper.ts';
import { uncoveredHosts } from './certificates/uncovered-hosts.ts';
import type { FrontDoor } from './admin/http/front-door.ts';
import { Reloader, type ReloadParts } from './reload/reloader.ts';
import type { Health } from './targets/health.ts';
import { configuredListeners, ownAmong, type Listeners } from './targets/own-places.ts';
import type { FindPlaces } from './targets/places.ts';
import type { SpotCheck } from './switching/checks/spot-check.ts';

interface DaemonParts extends Omit<
  ReloadParts,
  'spotCheck' | 'health' | 'oursAmong' | 'open' | 'checkFiles' | 'lookAtFiles'
> {
  readonly certificateKeeper: CertificateKeeper;
  readonly acmeOrders: AcmeOrders;
  readonly askNow: SpotCheck;
  readonly health: Pick<Health, 'of'>;
  readonly listeners: Listeners;
  readonly findPlaces: FindPlaces;
  /** Where operators come in; a listener that a reload opens is added. */
  readonly adminAddresses: ListenAddress[];
}

/** `admin`: once it is open. */
export function daemonReloader(parts: DaemonParts, admin: () => FrontDoor): Reloader {
  const { adminAddresses, acmeOrders, log } = parts;
  const followAsBefore = (): void => acmeOrders.follow(parts.live.config.acme);
  return new Reloader({
    ...parts,
    spotCheck: parts.askNow,
    health: (endpoint) => parts.health.of(endpoint),
    oursAmong: async (targets, next) => {
      const all: Listeners = () => [...parts.listeners(), ...configuredListeners(next)];
      return ownAmong(targets, all, parts.findPlaces);
    },
    checkFiles: async (next) =>
      uncoveredHosts(next, await parts.certificateKeeper.check(next.tls, next.upstreamTls)),
    lookAtFiles: async () => {
      // What waits after a failure is ordered soon, too.
      followAsBefore();
      return parts.certificateKeeper.look();
    },
    open: async (next) => {
      await acmeOrders.prepare(next.acme);
      const certificates = await parts.certificateKeeper
        .prepare(next.tls, next.upstreamTls)
        .catch((error: unknown) => {
          followAsBefore();
          throw error;
        });
      const opened = await admin()
        .open(next)
        .catch(async (error: unknown) => {
          followAsBefore();
          await certificates.close();
          throw error;
        });
      return {
        warnings: uncoveredHosts(next, certificates),
        use() {
          opened.use();
          const settled = parts.switchboard.settled();
          certificates.use(settled);
          // Until then workers may serve what was configured before.
          const follow = (): void => acmeOrders.follow(next.acme);
          background(settled.then(follow, follow), log, 'following certificates of ACME');
          const address = admin().metrics?.address;
          if (address !== undefined && !adminAddresses.includes(address)) {
            adminAddresses.push(address);
          }
          if (isProcessLog(log)) log.level = next.log.level;
        },
        close: async () => {
          await opened.close();
          followAsBefore();
          await certificates.close();
        },
      };
    },
  });
}
