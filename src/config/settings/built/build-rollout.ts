// Checked rows of `rollout` and `notify` → what the program receives. What relations.ts has checked is
// taken for granted.

import { assert, unreachable } from '../../../base/assert.ts';
import type {
  Endpoint,
  GateSettings,
  GuardSettings,
  HookSettings,
  NotifySettings,
  RolloutSettings,
  SmokeRequest,
} from '../rollout/rollout-settings.ts';
import type { ServiceValues, Values } from '../schema/schema.ts';

type RolloutValues = ServiceValues['rollout'];
type GateValues = RolloutValues['gates'][number];
type RequestValues = Extract<GateValues, { readonly kind: 'requests' }>['requests'][number];

/** Returns how a service is rolled out. */
export function rolloutOf(values: RolloutValues): RolloutSettings {
  const { split, rollback, warmup } = values;
  return {
    plan: values.plan,
    healthMs: values.health,
    bakeMs: values.bake,
    onInconclusive: values.onInconclusive,
    split,
    rollback: { restick: rollback.restick, rampMs: rollback.ramp, lockOut: rollback.lockOut },
    guard: guardOf(values.guard),
    warmup: {
      requests: warmup.requests,
      repeat: warmup.repeat,
      parallel: warmup.parallel,
      connections: warmup.connections,
      withinMs: warmup.within,
      required: warmup.required,
    },
    gates: values.gates.map(gateOf),
    hooks: values.hooks.map(hookOf),
  };
}

/** Returns where events are sent. */
export function notifyOf(values: Values['notify']): readonly NotifySettings[] {
  return values.map(({ events, services, url, ...files }) => {
    return { ...endpointOf(url, files), events, services };
  });
}

function guardOf({ errors, latency, ...guard }: RolloutValues['guard']): GuardSettings {
  const { mode, ratio, grace, p99 } = latency;
  return { ...guard, errors, latency: { mode, ratio, graceMs: grace, p99Ms: p99 } };
}

function gateOf(gate: GateValues): GateSettings {
  const { name, at, timeout: timeoutMs } = gate;
  if (gate.kind === 'approve') {
    const { kind, by, onTimeout } = gate;
    return { kind, name, at, timeoutMs, tryMs: timeoutMs, onFail: 'stop', by, onTimeout };
  }
  const tryMs = Math.min(gate.try, timeoutMs);
  const common = { name, at, timeoutMs, tryMs, onFail: gate.onFail };
  switch (gate.kind) {
    case 'requests':
      return {
        kind: gate.kind,
        ...common,
        targets: gate.targets,
        requests: gate.requests.map(smokeOf),
      };
    case 'webhook':
      return { kind: gate.kind, ...common, ...endpointOf(gate.url, gate) };
    case 'command':
      return { kind: gate.kind, ...common, command: commandOf(gate.command) };
    case 'prometheus': {
      const { query, min, max, user } = gate;
      return { kind: gate.kind, ...common, ...endpointOf(gate.url, gate), query, min, max, user };
    }
    case 'shadow': {
      const { share, mismatch, minimum, fields, ignore, ignorePaths, body, slower } = gate;
      const rules = { fields, ignore, ignorePaths, bodyBytesMax: body, slowerMs: slower };
      return { kind: gate.kind, ...common, share, mismatch, minimum, ...rules };
    }
    default:
      return unreachable(gate);
  }
}

function smokeOf({ within, ...request }: RequestValues): SmokeRequest {
  return { ...request, withinMs: within };
}

function hookOf({
  on,
  timeout,
  url,
  command,
  ...files
}: RolloutValues['hooks'][number]): HookSettings {
  const common = { on, timeoutMs: timeout };
  return url === undefined
    ? { kind: 'command', ...common, command: commandOf(command) }
    : { kind: 'webhook', ...common, ...endpointOf(url, files) };
}

function endpointOf(url: string, files: Pick<Endpoint, 'secretFile' | 'caFile'>): Endpoint {
  return { url, secretFile: files.secretFile, caFile: files.caFile };
}

function commandOf([program, ...rest]: readonly string[]): readonly [string, ...string[]] {
  assert(program !== undefined, 'a command has a program');
  return [program, ...rest];
}
