// Rollouts without a machine, for tests of the calls about them.

import type { RolloutSeries } from '../../../../src/api/rollout-series.ts';
import type { RolloutStarted } from '../../../../src/api/rollouts.ts';
import type { RolloutView } from '../../../../src/api/rollout-views.ts';
import type { SwitchAnswer } from '../../../../src/api/switching.ts';
import type {
  RolloutAct,
  RolloutDesk,
  WantedRollout,
} from '../../../../src/control-plane/admin/routes/rollout-desk.ts';
import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import type { ChangeRequest } from '../../../../src/control-plane/deployments/change-request.ts';
import { rolloutView } from '../../../support/rollout-view.ts';

const STARTED: RolloutStarted = {
  id: 'r-119',
  stage: 'registered',
  generation: 5,
  plan: { text: 'all-at-once', steps: [], ramp: null },
  bake: '5m',
  guard: 'rollback',
  gates: [],
  refusals: [],
};

export const SWITCHED: SwitchAnswer = {
  generation: 6,
  service: 'shop',
  from: 'blue',
  to: 'green',
  release: 'v42',
  deployment: 8,
  publishedAt: '2026-11-30T14:00:00.000Z',
  tookMs: 1,
  changed: true,
  rollout: { id: 'r-119', stage: 'shifting', share: 10 },
};

/** Knows the rollouts that a test gives it, and remembers what it was asked. */
export class FakeDesk implements RolloutDesk {
  views: RolloutView[] = [rolloutView()];
  started: (ChangeRequest & WantedRollout)[] = [];
  acts: (RolloutAct & Pick<ChangeRequest, 'reason' | 'actor' | 'service'>)[] = [];
  switches: object[] = [];
  switched = SWITCHED;
  /** Called when a call begins to wait. */
  onWait = (_id: string, _event: number): void => {};

  async start(request: ChangeRequest, wanted: WantedRollout): Promise<RolloutStarted> {
    this.started.push({ ...request, ...wanted });
    return request.dryRun === true ? { ...STARTED, id: null, stage: null } : STARTED;
  }

  async switchNow(request: Pick<ChangeRequest, 'service'>): Promise<SwitchAnswer> {
    this.switches.push(request);
    return { ...this.switched, service: request.service ?? this.switched.service };
  }

  async rollback(request: Pick<ChangeRequest, 'service'>): Promise<SwitchAnswer> {
    return this.switchNow(request);
  }

  brief(): null {
    return null;
  }

  async switchAllNow(services: readonly string[], request: object) {
    this.switches.push({ services, ...request });
    const { generation, tookMs, rollout, ...one } = this.switched;
    return { generation, tookMs, rollout, services: [one] };
  }

  list({ service, isActive }: Parameters<RolloutDesk['list']>[0]): readonly RolloutView[] {
    return this.views.filter(
      (view) =>
        (service === undefined || view.services.some((one) => one.service === service)) &&
        (isActive === undefined || isActive === (view.end === null)),
    );
  }

  view(id: string): RolloutView {
    const found = this.views.find((view) => view.id === id);
    if (found === undefined) throw new OperatorError('rollout-unknown', `no ${id}`);
    return found;
  }

  series(id: string): RolloutSeries {
    const services = this.view(id).services.map((one) => ({ ...one, limit: null, points: [] }));
    return { id, everySeconds: 10, edgesMs: [], services };
  }

  async waitFor(id: string, event: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve());
    if (this.view(id).event !== event) resolve();
    this.onWait(id, event);
    if (this.view(id).event !== event) resolve();
    await promise;
  }

  async act({ reason, actor, service }: ChangeRequest, id: string, act: RolloutAct) {
    this.acts.push({ ...act, reason, actor, service });
    return this.view(id);
  }
}

/** Returns a rollout of `services`, with `changes`. */
export function viewOf(
  id: string,
  services: readonly string[],
  changes: Partial<RolloutView> = {},
) {
  const [move] = rolloutView().services;
  return rolloutView({
    id,
    services: services.map((service) => ({ ...move!, service })),
    ...changes,
  });
}
