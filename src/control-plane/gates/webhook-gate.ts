// A question to a URL of the operator: a signed POST with what is asked, answered by a verdict. The sender
// bounds time and size, follows no redirect and reaches no listener of Turnout itself.

import type { WebhookGateSettings } from '../../config/settings/rollout/rollout-settings.ts';
import type { Gate, GateContext, GateParts } from './asked-gate.ts';
import { resultOf } from './verdict-answer.ts';

/** Makes the gate. */
export function webhookGate(
  settings: WebhookGateSettings,
  { post }: Pick<GateParts, 'post'>,
): Gate {
  return {
    async ask(context, signal) {
      const answer = await post({
        url: settings.url,
        body: questionText(context),
        attempt: context.attempt,
        secretFile: settings.secretFile ?? '',
        caFile: settings.caFile ?? '',
        withinMs: settings.tryMs,
        signal,
      });
      if (answer.kind === 'failed') return { verdict: 'error', detail: answer.reason };
      return resultOf(answer);
    },
  };
}

/** Returns the body of the question. */
function questionText({
  rollout,
  attempt,
  gate,
  at,
  stage,
  share,
  subjects,
  ...by
}: GateContext): string {
  const services = subjects.map(({ service, from, to }) => ({ service, from, to }));
  const { actor, reason } = by;
  return JSON.stringify({
    kind: 'gate',
    rollout,
    attempt,
    gate,
    at,
    stage,
    share,
    // Most rollouts move one service: that one stands on top, so that a script need not look for it.
    ...services[0],
    services,
    actor,
    reason,
  });
}
