// Smoke requests: asked in order, straight to the targets of the new deployment, before users can be there.
// Each target is asked all of it unless the operator says otherwise: one instance of three with a wrong
// setting is what a spread over all of them would miss.

import { countText } from '../../base/count-text.ts';
import { durationText } from '../../base/duration.ts';
import type {
  RequestsGateSettings,
  SmokeRequest,
} from '../../config/settings/rollout/rollout-settings.ts';
import { filledIn } from '../../config/values/taken.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import type { Gate, GateContext, GateParts, GateResult, GateSubject } from './asked-gate.ts';
import { allOf } from './at-once.ts';
import { ownRequest } from './own-request.ts';
import { judge } from './smoke-answer.ts';
import { astray, targetFields, targetName, targetReason } from './target-fields.ts';

/** Targets at a time. */
const PARALLEL = 8;

type Parts = Pick<GateParts, 'endpointsOf' | 'hostOf' | 'mayConnect' | 'connect'>;

/** Makes the gate. */
export function requestsGate(settings: RequestsGateSettings, parts: Parts): Gate {
  return {
    async ask(context, signal) {
      const asked = context.subjects.flatMap((subject) => {
        const all = parts.endpointsOf(subject.service, subject.to.deployment);
        return (settings.targets === 'one' ? all.slice(0, 1) : all).map((endpoint) => {
          return { subject, endpoint };
        });
      });
      if (asked.length === 0) return { verdict: 'error', detail: 'there is no target to ask' };
      const startedAtMs = performance.now();
      const found = await allOf(asked, { parallel: PARALLEL, signal }, async (one, goesOn) => {
        const result = await askTarget(settings.requests, { ...one, context, parts }, goesOn);
        return result.verdict === 'ok' ? undefined : result;
      });
      if (found !== undefined) return found;
      if (signal.aborted) return { verdict: 'error', detail: 'called off' };
      const took = durationText(Math.round(performance.now() - startedAtMs));
      const requests = countText(asked.length * settings.requests.length, 'request');
      const targets = countText(asked.length, 'target');
      return {
        verdict: 'ok',
        detail: `${requests} to ${targets} in ${took}`,
      };
    },
  };
}

interface Asked {
  readonly subject: GateSubject;
  readonly endpoint: LiveEndpoint;
  readonly context: GateContext;
  readonly parts: Parts;
}

async function askTarget(
  requests: readonly SmokeRequest[],
  asked: Asked,
  signal: AbortSignal,
): Promise<GateResult> {
  if (!asked.parts.mayConnect(asked.endpoint))
    return { verdict: 'error', detail: astray(asked.endpoint) };
  const values = new Map<string, string>();
  for (const request of requests) {
    // What was taken is not shown, and no query: either may be a secret.
    const what = `${request.method} ${request.path.split('?', 1)[0]!} at ${targetName(asked.endpoint)}`;
    try {
      const answer = await withinOf(request, signal, async (bounded) =>
        ownRequest(filledRequest(request, values, asked), bounded),
      );
      if (answer === 'late') {
        const within = durationText(request.withinMs);
        return {
          verdict: 'fail',
          detail: `${what}: expected an answer within ${within}, got none`,
        };
      }
      const judged = judge(request, answer);
      if (!judged.ok) return { verdict: 'fail', detail: `${what}: ${judged.problem}` };
      for (const [name, value] of judged.taken) values.set(name, value);
    } catch (error) {
      if (signal.aborted) return { verdict: 'error', detail: 'called off' };
      return { verdict: 'error', detail: `${what}: ${targetReason(error)}` };
    }
  }
  return { verdict: 'ok', detail: '' };
}

/** Bounds a request by its own time. */
async function withinOf<T>(
  { withinMs }: SmokeRequest,
  signal: AbortSignal,
  ask: (bounded: AbortSignal) => Promise<T>,
): Promise<T | 'late'> {
  if (withinMs === 0) return await ask(signal);
  const deadline = AbortSignal.timeout(withinMs);
  try {
    return await ask(AbortSignal.any([signal, deadline]));
  } catch (error) {
    if (deadline.aborted && !signal.aborted) return 'late';
    throw error;
  }
}

function filledRequest(
  { method, path, fields, body }: SmokeRequest,
  values: ReadonlyMap<string, string>,
  { subject, endpoint, context, parts }: Asked,
) {
  // In a path, a value must stay one segment or one value of the query.
  const encoded = new Map([...values].map(([name, value]) => [name, encodeURIComponent(value)]));
  const own = [...fields].map(([name, value]) => [name, filledIn(value, values)] as const);
  return {
    to: () => parts.connect(endpoint),
    method,
    path: filledIn(path, encoded),
    fields: {
      ...targetFields(subject, endpoint, {
        share: context.share,
        host: parts.hostOf(subject.service),
      }),
      ...Object.fromEntries(own),
    },
    body: filledIn(body, values),
  };
}
