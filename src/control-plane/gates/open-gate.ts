// Which code stands behind each kind of gate.

import { unreachable } from '../../base/assert.ts';
import type { GateSettings } from '../../config/settings/rollout/rollout-settings.ts';
import type { Gate, GateParts } from './asked-gate.ts';
import { commandGate } from './command-gate.ts';
import { prometheusGate } from './prometheus-gate.ts';
import { requestsGate } from './requests-gate.ts';
import { webhookGate } from './webhook-gate.ts';

/** What is asked; an approval is waited for. */
export type OpenedGateSettings = Exclude<GateSettings, { readonly kind: 'approve' }>;

/** Makes the gate of `settings`. */
export function openGate(settings: OpenedGateSettings, parts: GateParts): Gate {
  switch (settings.kind) {
    case 'requests':
      return requestsGate(settings, parts);
    case 'webhook':
      return webhookGate(settings, parts);
    case 'command':
      return commandGate(settings, parts);
    case 'prometheus':
      return prometheusGate(settings, parts);
    case 'shadow':
      return parts.shadows.gate(settings);
    default:
      return unreachable(settings);
  }
}
