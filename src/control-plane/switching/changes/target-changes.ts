// Gives a deployment other targets while it serves. What may be, and what follows, says scaling.ts.

import type { TargetsAnswer } from '../../../api/deployment-targets.ts';
import { ENDPOINT_ROW } from '../../../contract/counters.ts';
import { deploymentsOf, type Endpoint, type RoutingTable } from '../../../contract/table.ts';
import type { Totals } from '../../memory/totals.ts';
import type { NameBook } from '../../targets/looked-up-name.ts';
import type { PlacedTarget } from '../../targets/places.ts';
import { deploymentOf } from '../../store/service-state.ts';
import { nameOf } from '../../deployments/address-use.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import { destination, type Destination } from '../../deployments/destination.ts';
import { checkNotOurs, parseTargets, type World } from '../../deployments/registration.ts';
import { scaling, type Scaled } from '../../deployments/scaling.ts';

interface ScalingParts {
  readonly runner: Pick<ChangeRunner, 'ofService' | 'make' | 'state' | 'table'>;
  readonly worldOf: (request: ChangeRequest, urls: readonly string[]) => Promise<World>;
  readonly oursAmong: (targets: readonly PlacedTarget[]) => Promise<ReadonlySet<string>>;
  readonly totals: Totals;
  readonly names: Pick<NameBook, 'of'>;
}

/** What a deployment shall have; targets as they were typed. */
export interface ScaleRequest {
  readonly to: Destination;
  readonly targets: readonly string[];
  /** Where they may lead, as far as the caller may say; left out: anywhere. */
  readonly allow?: readonly string[] | undefined;
}

export class Scaling {
  readonly #parts: ScalingParts;

  constructor(parts: ScalingParts) {
    this.#parts = parts;
  }

  /** Gives a deployment that is active, idle or draining all the targets that are named. */
  async scale(
    request: ChangeRequest,
    { to, targets, allow }: ScaleRequest,
  ): Promise<TargetsAnswer> {
    const { runner, worldOf, oursAmong } = this.#parts;
    return runner.ofService(request, 'scale', async ({ name: service }, turn) => {
      let number = 0;
      const answer = await runner.make(request, turn, async () => {
        const state = runner.state(service);
        // A number in a path is that of a deployment, also where a release is called so.
        const meant = deploymentOf(state, Number(to)) ?? destination(state, to);
        const deployment = (number = meant.number);
        const parsed = parseTargets(targets);
        const urls = parsed.map(({ url }) => url);
        const [ours, world] = await Promise.all([oursAmong(parsed), worldOf(request, urls)]);
        checkNotOurs(ours);
        const longLivedAt = (removed: readonly string[]): number =>
          this.#longLived(runner.table, deployment, removed);
        const scaled = scaling(state, { deployment: meant, urls, allow }, world, longLivedAt);
        if (scaled === undefined) return undefined;
        const told = { deployment, added: [...scaled.added], removed: [...scaled.removed] };
        const what = `${nameOf(meant)} scaled: ${changeText(scaled)}`;
        return { decided: scaled, service, what, told };
      });
      const none = { deployment: number, added: [], removed: [], changed: false };
      return answer ?? { generation: runner.table.epoch, service, ...none };
    });
  }

  /** Returns how many tunnels and event streams are open at some targets of a deployment. */
  #longLived({ services }: RoutingTable, number: number, urls: readonly string[]): number {
    const { totals, names } = this.#parts;
    const endpoints = services
      .flatMap(deploymentsOf)
      .find((one) => one.number === number)!
      .endpoints.filter(({ url }) => urls.includes(url));
    return endpoints.reduce((sum, one) => sum + longLivedAt(one, { totals, names }), 0);
  }
}

/** Returns how many tunnels and event streams are open at one target, at all addresses of a name. */
function longLivedAt(
  endpoint: Endpoint,
  { totals, names }: Pick<ScalingParts, 'totals' | 'names'>,
): number {
  let sum = 0;
  for (const { slot } of names.of(endpoint)) {
    sum +=
      totals.endpoint(slot, ENDPOINT_ROW.tunnels) + totals.endpoint(slot, ENDPOINT_ROW.streams);
  }
  return sum;
}

function changeText({ added, removed }: Pick<Scaled, 'added' | 'removed'>): string {
  return [...added.map((url) => `+ ${url}`), ...removed.map((url) => `- ${url}`)].join(', ');
}
