// What stops switching although nothing is wrong: a freeze that an operator has asked for, for an
// incident or a business event, and the freeze windows of the configuration. An operator's freeze is
// lifted by an operator; a window is overridden by `force`, and never stops a rollback or a failover.
// When Turnout has broken a rule of its own, `Switchboard.halt` stops decisions instead.

import type { FreezesOf } from '../../freezes/calendar.ts';
import { windowsAt, type FreezePeriod, type WindowsNow } from '../../freezes/windows.ts';
import type { Config } from '../../../config/config.ts';
import type { FreezeWindow } from '../../../config/values/freeze-window.ts';
import type { Objection } from './ask-first.ts';
import { messageOf, OperatorError } from '../../base/problems.ts';
import type { Freeze, Notes, Store } from '../../store/store.ts';

export class SwitchingFreeze {
  readonly #store: Pick<Store, 'state' | 'setFreeze'>;
  readonly #freezesOf: FreezesOf;

  /** `freezesOf`: what the windows of a service say now. */
  constructor(store: Pick<Store, 'state' | 'setFreeze'>, freezesOf: FreezesOf) {
    this.#store = store;
    this.#freezesOf = freezesOf;
  }

  /** What an operator has frozen; undefined: nothing. */
  get current(): Freeze | undefined {
    return this.#store.state.freeze;
  }

  /** What the windows say of a service now. */
  windows(service: string): WindowsNow {
    return this.#freezesOf(service);
  }

  /** What an operator has frozen of one service alone; undefined: nothing. */
  of(service: string): Freeze | undefined {
    return this.#store.state.services.get(service)?.freeze;
  }

  /** Throws `switching-frozen` during a freeze of an operator: of all switching, or of this service. */
  check(service: string): void {
    if (this.current !== undefined) throw switchingFrozen(this.current, undefined);
    const own = this.of(service);
    if (own !== undefined) throw switchingFrozen(own, service);
  }

  /** Throws `switching-frozen` during a freeze, or while a window of `service` is in force. */
  checkSwitch(service: string, { overridesWindows }: { readonly overridesWindows: boolean }): void {
    this.check(service);
    if (overridesWindows) return;
    const { present, freeAtMs } = this.windows(service);
    if (present !== undefined) throw windowFrozen(service, present, freeAtMs);
  }

  /**
   * Begins a freeze, or ends it (undefined). Returns false where there was one, or none, already:
   * the first keeps its reason. Throws `store-failed`; then all is as it was.
   */
  async set(freeze: Freeze | undefined, notes: () => Notes): Promise<boolean> {
    if ((freeze === undefined) === (this.current === undefined)) return false;
    try {
      await this.#store.setFreeze(freeze, notes());
    } catch (error) {
      throw new OperatorError('store-failed', `${messageOf(error)}; nothing has changed`, {
        cause: error,
      });
    }
    return true;
  }
}

/** Returns what refuses a change that moves traffic during `freeze`: of `service`, or of all (undefined). */
export function switchingFrozen(
  { actor, atMs, reason }: Freeze,
  service: string | undefined,
): OperatorError {
  const at = new Date(atMs).toISOString();
  return new OperatorError(
    'switching-frozen',
    `${actor} has frozen ${service === undefined ? 'all switching' : `switching of ${service}`} at ${at}: ${reason}; ` +
      'unfreeze first; a rollback goes through with "force" and a reason',
    { members: { freeze: { actor, at, reason }, ...(service === undefined ? {} : { service }) } },
  );
}

/** Returns what a switch is told that a freeze of all switching has found while it held requests. */
export function calledOffByFreeze({ actor, reason }: Freeze): OperatorError {
  const why = `called off by ${actor}, by a freeze of all switching: ${reason}; nothing was changed`;
  return new OperatorError('called-off', why);
}

/** Throws `switching-frozen` where one of `windows` is in force at a moment, also at one to come. */
export function checkWindows(
  service: string,
  windows: readonly FreezeWindow[],
  atMs: number,
): void {
  const { present, freeAtMs } = windowsAt(windows, atMs);
  if (present !== undefined) throw windowFrozen(service, present, freeAtMs);
}

/** Returns what the windows of a configuration have against another release of a service at `nowMs`. */
export function windowObjection(
  { freezes, services }: Pick<Config, 'freezes' | 'services'>,
  nowMs: number,
): Objection {
  return (name) => {
    const own = services.find((service) => service.name === name)?.freezes ?? [];
    const { present, freeAtMs } = windowsAt([...freezes, ...own], nowMs);
    return present && windowFrozen(name, present, freeAtMs);
  };
}

/** `freeAtMs`: undefined where no end is in sight. */
function windowFrozen(
  service: string,
  { window, fromMs }: FreezePeriod,
  freeAtMs: number | undefined,
): OperatorError {
  const { when, reason } = window;
  const from = new Date(fromMs).toISOString();
  const until = freeAtMs === undefined ? null : new Date(freeAtMs).toISOString();
  const end = until === null ? 'with no end in sight' : `until ${until}`;
  return new OperatorError(
    'switching-frozen',
    `${service} is not switched ${end}, because of the freeze window ${when}: ${reason}; ` +
      'a rollback goes through; a switch needs "force" and a reason, or wait',
    { members: { window: { when, reason, from, until } } },
  );
}
