// Registers releases, and tells beforehand what several steps would be refused for. Finds out where
// their targets lead; what that means is decided in registration.ts and dry-run.ts.

import type { ChangeAnswer } from '../../../api/shared-fields.ts';
import { parseTarget } from '../../../config/values/target.ts';
import { OperatorError } from '../../base/problems.ts';
import { deploymentOf, type ServiceState } from '../../store/service-state.ts';
import type { PlacedTarget } from '../../targets/places.ts';
import type { ChangeRequest } from '../../deployments/change-request.ts';
import type { ChangeRunner } from '../../publishing/change-runner.ts';
import {
  obstaclesTo,
  refusalsOf,
  type Obstacle,
  type Step,
  type StepRefusal,
} from '../checks/dry-run.ts';
import {
  checkNotOurs,
  parseTargets,
  registration,
  type Changed,
  type RegisterRequest,
  type World,
} from '../../deployments/registration.ts';
import { throwAll } from '../checks/refusals.ts';
import type { SwitchingFreeze } from '../checks/switching-freeze.ts';

export interface RegistrarParts {
  readonly runner: Pick<ChangeRunner, 'edit' | 'inTurn' | 'between' | 'table'>;
  readonly freeze: Pick<SwitchingFreeze, 'checkSwitch'>;
  readonly oursAmong: (targets: readonly PlacedTarget[]) => Promise<ReadonlySet<string>>;
  readonly worldOf: (request: ChangeRequest, urls: readonly string[]) => Promise<World>;
}

/** What became of a registration. */
export interface Registered extends ChangeAnswer {
  /** What a switch to it would be refused for, as far as that is known. */
  readonly obstacles: readonly Obstacle[];
}

export class Registrar {
  readonly #parts: RegistrarParts;

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
  }

  /** Puts a release on an idle color. */
  async register(request: ChangeRequest, wanted: RegisterRequest): Promise<Registered> {
    const { runner, freeze } = this.#parts;
    const what = `release ${wanted.release} registered on ${wanted.color}`;
    let obstacles: readonly Obstacle[] = [];
    const answer = await runner.edit(request, what, async (state) => {
      const changed = await this.#decide(request, state, wanted);
      const after = changed?.states.find(({ name }) => name === state.name) ?? state;
      obstacles = obstaclesOf(after, wanted, freeze);
      return changed;
    });
    return { ...answer, obstacles };
  }

  /**
   * Returns what registers a release that is to get traffic next; undefined: it is there already. What
   * would refuse that traffic refuses the release, too, except with `force`. No table may be published
   * before what this returns is.
   */
  async withTraffic(
    request: ChangeRequest,
    state: ServiceState,
    wanted: RegisterRequest,
  ): Promise<Changed | undefined> {
    if (!request.force) {
      const { name: service } = state;
      const found = await this.#refusalsOf(request, [
        { kind: 'register', service, ...wanted },
        { kind: 'switch', service, to: wanted.color },
      ]);
      throwAll(found.map(({ code, detail }) => new OperatorError(code, detail)));
    }
    return await this.#decide(request, state, wanted);
  }

  async #decide(
    request: ChangeRequest,
    state: ServiceState,
    { targets, ...asked }: RegisterRequest,
  ): Promise<Changed | undefined> {
    const { oursAmong, worldOf } = this.#parts;
    const parsed = parseTargets(targets);
    const urls = parsed.map(({ url }) => url);
    const [ours, world] = await Promise.all([oursAmong(parsed), worldOf(request, urls)]);
    checkNotOurs(ours);
    return registration(state, { ...asked, urls }, world);
  }

  /** Returns what would be refused if `steps` were made one after the other. */
  async dryRun(request: ChangeRequest, steps: readonly Step[]): Promise<StepRefusal[]> {
    const lines = [...new Set(steps.map(({ service }) => service))];
    const { runner } = this.#parts;
    return runner.inTurn(request, {
      lines,
      what: 'dry run',
      find: () => undefined,
      run: async () => runner.between(request, async () => this.#refusalsOf(request, steps)),
    });
  }

  async #refusalsOf(request: ChangeRequest, steps: readonly Step[]): Promise<StepRefusal[]> {
    const { runner, freeze, oursAmong, worldOf } = this.#parts;
    const typed = steps.flatMap((step) => (step.kind === 'switch' ? [] : step.targets));
    const targets = [...new Set(typed)].flatMap((text) => {
      const parsed = parseTarget(text);
      return parsed.ok ? [parsed.value] : []; // The step is refused for the others.
    });
    const urls = targets.map(({ url }) => url);
    const [ours, world] = await Promise.all([oursAmong(targets), worldOf(request, urls)]);
    return refusalsOf(steps, { world, table: runner.table, freeze, ours });
  }
}

function obstaclesOf(
  state: ServiceState,
  { color }: Pick<RegisterRequest, 'color'>,
  freeze: Pick<SwitchingFreeze, 'checkSwitch'>,
): Obstacle[] {
  const deployment = deploymentOf(state, state[color].deployment);
  return deployment === undefined ? [] : obstaclesTo(state, deployment, freeze);
}
