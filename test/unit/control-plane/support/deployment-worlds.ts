// Two worlds in which the same happens: the model of deployments, and a town that Turnout serves. Carries a
// change out in both, and compares them.

import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import { Model, type Outcome, type Session } from '../../../support/deployment-model.ts';
import { Town, type KillPoint, type Said } from '../../../support/deployment-town.ts';

/** A client: its cookies, and its sessions as the model has them. */
export interface Client {
  readonly cookies: Map<string, string>;
  readonly sessions: Map<string, Session>;
}

export interface Real {
  readonly town: Town;
  readonly clients: readonly Client[];
  said: Said;
}

/** Carries out a change in both worlds; `kill`: the process ends meanwhile, and begins again. */
export async function carryOut(
  { town }: Real,
  plan: { readonly outcome: Outcome; readonly make: () => void },
  kill: KillPoint | undefined,
  act: () => Promise<boolean>,
): Promise<Outcome> {
  if (kill !== undefined) town.turnout.killAt(kill);
  let outcome: Outcome;
  try {
    outcome = (await act()) ? 'done' : 'unchanged';
  } catch (error) {
    if (town.turnout.isDead) {
      await town.restart();
      if (plan.outcome !== 'done')
        throw new Error(`stored what is ${plan.outcome}`, { cause: error });
      if (kill === 'after-store') plan.make();
      return plan.outcome;
    }
    if (!(error instanceof OperatorError)) throw error;
    outcome = error.code as Outcome;
  }
  if (outcome !== plan.outcome) throw new Error(`expected ${plan.outcome}, got ${outcome}`);
  if (outcome === 'done') plan.make();
  if (kill !== undefined) await town.restart();
  return outcome;
}

/** Both worlds look alike, and a new visitor gets what was released. */
export function compare(model: Model, { town }: Real): void {
  for (const [name, expected] of model.services) {
    const state = town.states().get(name)!;
    const real = {
      active: state.active,
      on: { blue: state.blue.deployment, green: state.green.deployment },
      drains: state.draining.map(({ deployment }) => deployment),
      lockedOut: state.lockOuts.map((one) => one.release).toSorted(),
      taken: state.deployments.filter((one) => one.takenOver).map(({ number }) => number),
    };
    const own = [...model.deployments.values()].filter((one) => one.service === name);
    const kept = new Set(state.deployments.map(({ number }) => number));
    const { active, on, drains, lockedOut } = expected;
    const wantedState = {
      active,
      on,
      drains: [...drains.keys()],
      lockedOut: [...lockedOut].toSorted(),
      taken: own
        .filter(({ isTaken, number }) => isTaken && kept.has(number))
        .map((one) => one.number),
    };
    if (JSON.stringify(real) !== JSON.stringify(wantedState)) {
      throw new Error(
        `${name}: expected ${JSON.stringify(wantedState)}, got ${JSON.stringify(real)}`,
      );
    }
    const visitor = town.ask(name, []);
    checkServed(model, visitor, model.expected(name, undefined, undefined), `a visitor of ${name}`);
  }
}

export function checkServed(
  model: Model,
  served: ReturnType<Town['ask']>,
  expected: number,
  who: string,
): void {
  const released = model.deployments.get(expected);
  const isRight =
    served.deployment === expected &&
    (released === undefined ||
      (served.app === released.release && released.at.includes(served.port)));
  if (isRight) return;
  throw new Error(
    `${who}: expected deployment ${expected} (${released?.release}), got ${JSON.stringify(served)}`,
  );
}
