// Asks the gates of the configuration by name: one try each, bounded by the time that the gate has for one.
// What is asked when, and what follows, is decided by the rollout.

import { durationText } from '../../base/duration.ts';
import type {
  GateSettings,
  WarmupSettings,
} from '../../config/settings/rollout/rollout-settings.ts';
import { unlessCalledOff } from '../base/called-off.ts';
import type { Gate, GateContext, GateParts, GateResult } from './asked-gate.ts';
import { openGate } from './open-gate.ts';
import { warmUp } from './warm-up.ts';

export interface GateDeskParts extends GateParts {
  /** The gates of a service, as they are configured now. */
  readonly gatesOf: (service: string) => readonly GateSettings[];
  readonly warmupOf: (service: string) => WarmupSettings;
}

export interface GateDesk {
  /** Asks the gate `name` of `service` once. Never rejects. */
  ask(
    of: { readonly service: string; readonly name: string },
    context: GateContext,
    signal: AbortSignal,
  ): Promise<GateResult>;
  /** Warms all that moves, each service by its own settings. Never rejects. */
  warm(context: GateContext, signal: AbortSignal): Promise<GateResult>;
}

const CALLED_OFF: GateResult = { verdict: 'error', detail: 'called off' };

/** Makes the desk. */
export function gateDesk(parts: GateDeskParts): GateDesk {
  // A gate remembers what it has asked, so it stays the same while its settings do.
  const opened = new WeakMap<GateSettings, Gate>();

  function gateOf(settings: Exclude<GateSettings, { readonly kind: 'approve' }>): Gate {
    const known = opened.get(settings);
    if (known !== undefined) return known;
    const gate = openGate(settings, parts);
    opened.set(settings, gate);
    return gate;
  }

  return {
    async ask({ service, name }, context, signal) {
      const settings = parts.gatesOf(service).find((gate) => gate.name === name);
      // A reload has taken it away meanwhile.
      if (settings === undefined)
        return { verdict: 'error', detail: 'it is not configured any more' };
      if (settings.kind === 'approve') return { verdict: 'later', detail: 'a person answers it' };
      return await bounded(gateOf(settings), { context, tryMs: settings.tryMs, signal });
    },

    async warm(context, signal) {
      const results = await Promise.all(
        context.subjects.map(async (subject) => {
          const settings = parts.warmupOf(subject.service);
          if (settings.requests.length === 0 && settings.connections === 0) return NOTHING_TO_WARM;
          return await warmUp(settings, parts).ask({ ...context, subjects: [subject] }, signal);
        }),
      );
      const bad = results.find(({ verdict }) => verdict !== 'ok');
      const details = results.map(({ detail }) => detail).join('; ');
      return { verdict: bad?.verdict ?? 'ok', detail: details };
    },
  };
}

const NOTHING_TO_WARM: GateResult = { verdict: 'ok', detail: 'nothing to do' };

async function bounded(
  gate: Gate,
  {
    context,
    tryMs,
    signal,
  }: { readonly context: GateContext; readonly tryMs: number; readonly signal: AbortSignal },
): Promise<GateResult> {
  const deadline = AbortSignal.timeout(tryMs);
  const either = AbortSignal.any([signal, deadline]);
  const late: GateResult = { verdict: 'error', detail: `no result after ${durationText(tryMs)}` };
  const ended = (): GateResult => (signal.aborted ? CALLED_OFF : late);
  try {
    const result = await unlessCalledOff(gate.ask(context, either), either);
    return either.aborted && result.verdict === 'error' ? ended() : result;
  } catch {
    return ended();
  }
}
