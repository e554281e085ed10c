// Requests to a new deployment before its first user: what fills caches and loads code. Also opens several
// connections at once to each target, for apps that start something for each. The workers' own connections
// need no help from here: each opens some while it prepares the table that sends users there.

import { countText } from '../../base/count-text.ts';
import { durationText } from '../../base/duration.ts';
import type { WarmupSettings } from '../../config/settings/rollout/rollout-settings.ts';
import type { LiveEndpoint } from '../../contract/table.ts';
import { unlessCalledOff } from '../base/called-off.ts';
import { openEventOf, type TargetConnection } from '../targets/target-connection.ts';
import type { Gate, GateContext, GateParts, GateSubject } from './asked-gate.ts';
import { allOf } from './at-once.ts';
import { ownRequest } from './own-request.ts';
import { astray, targetFields, targetName, targetReason } from './target-fields.ts';

/** Targets at a time. */
const TARGETS_AT_ONCE = 8;

type Parts = Pick<GateParts, 'endpointsOf' | 'hostOf' | 'mayConnect' | 'connect'>;

/** What a warm-up has done so far. */
class Tally {
  requests = 0;
  connections = 0;
  failed = 0;
  /** The first one; empty: none. */
  problem = '';

  fail(problem: string): void {
    this.failed++;
    if (this.problem === '') this.problem = problem;
  }
}

/** Makes the warm-up; it is asked once, and ends by itself after its time. */
export function warmUp(settings: WarmupSettings, parts: Parts): Gate {
  return {
    async ask(context, signal) {
      const targets = context.subjects.flatMap((subject) =>
        parts
          .endpointsOf(subject.service, subject.to.deployment)
          .map((endpoint) => ({ subject, endpoint })),
      );
      const tally = new Tally();
      const deadline = AbortSignal.timeout(settings.withinMs);
      const bounded = AbortSignal.any([signal, deadline]);
      await allOf(targets, { parallel: TARGETS_AT_ONCE, signal: bounded }, async (target) => {
        await warmTarget(settings, { ...target, context, parts, tally }, bounded);
        return undefined;
      });
      if (signal.aborted) return { verdict: 'error', detail: 'called off' };
      const done = `${countText(tally.requests, 'request')}, ${countText(tally.connections, 'connection')}`;
      if (deadline.aborted) {
        const within = durationText(settings.withinMs);
        return { verdict: 'fail', detail: `not done after ${within}: ${done}${after(tally)}` };
      }
      if (tally.failed === 0) return { verdict: 'ok', detail: done };
      return { verdict: 'fail', detail: `${done}, ${tally.failed} failed${after(tally)}` };
    },
  };
}

function after({ problem }: Tally): string {
  return problem === '' ? '' : `; ${problem}`;
}

interface Warmed {
  readonly subject: GateSubject;
  readonly endpoint: LiveEndpoint;
  readonly context: GateContext;
  readonly parts: Parts;
  readonly tally: Tally;
}

async function warmTarget(
  settings: WarmupSettings,
  warmed: Warmed,
  signal: AbortSignal,
): Promise<void> {
  const { tally, endpoint, parts } = warmed;
  if (!parts.mayConnect(endpoint)) {
    tally.fail(astray(endpoint));
    return;
  }
  const sockets = await Promise.all(
    Array.from({ length: settings.connections }, () => openSocket(parts.connect(endpoint), signal)),
  );
  const opened = sockets.filter((socket) => typeof socket !== 'string');
  tally.connections += opened.length;
  for (const problem of sockets.filter((socket) => typeof socket === 'string')) {
    if (!signal.aborted) tally.fail(`${targetName(endpoint)}: ${problem}`);
  }
  try {
    const asked = settings.requests.flatMap((path) =>
      Array.from({ length: settings.repeat }, () => path),
    );
    await allOf(asked, { parallel: settings.parallel, signal }, async (path) => {
      await askOnce(path, warmed, signal);
      return undefined;
    });
  } finally {
    for (const socket of opened) socket.destroy();
  }
}

async function askOnce(
  path: string,
  { subject, endpoint, context, parts, tally }: Warmed,
  signal: AbortSignal,
): Promise<void> {
  const what = `GET ${path.split('?', 1)[0]!} at ${targetName(endpoint)}`;
  const host = parts.hostOf(subject.service);
  const fields = targetFields(subject, endpoint, { share: context.share, host });
  try {
    const { status } = await ownRequest(
      { to: () => parts.connect(endpoint), method: 'GET', path, fields, body: '' },
      signal,
    );
    tally.requests++;
    // A redirect or a login is an answer of the app, too; it has warmed what it runs through.
    if (status >= 500) tally.fail(`${what}: status ${status}`);
  } catch (error) {
    if (!signal.aborted) tally.fail(`${what}: ${targetReason(error)}`);
  }
}

/** Resolves with a connection, or with why there is none. */
async function openSocket({ socket, secured }: TargetConnection, signal: AbortSignal) {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once(openEventOf(secured), resolve);
  socket.on('error', reject); // also when the target closes it later
  try {
    await unlessCalledOff(promise, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    return targetReason(error);
  }
}
