// `turnout deploy`: a release comes to the idle color, gets healthy, and gets the traffic. Up to
// the last step traffic stays where it is.

import { changeAnswer } from '../../api/shared-fields.ts';
import type { releaseBody } from '../../api/releases.ts';
import type { rolloutBody } from '../../api/rollouts.ts';
import { switchAnswer, type switchBody } from '../../api/switching.ts';
import type { Color } from '../../contract/table.ts';
import {
  askAndSwitch,
  askAsPlanned,
  planned,
  wantsToAsk,
  type ConfirmFlags,
  type WantedSwitch,
} from '../steps/agreement.ts';
import {
  complain,
  changeOf,
  isRefusal,
  serviceFlag,
  troubleText,
  withService,
  type Fields,
  type Trouble,
} from '../client/client-command.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { timeProblem } from '../client/flag-check.ts';
import { foresee } from '../steps/foreseen.ts';
import { HEALTHY_WITHIN_DEFAULT, waitUntilHealthy } from '../steps/healthy-wait.ts';
import { wayBackProblem, type Plan } from '../steps/plan.ts';
import {
  startRollout,
  termsOf,
  termsProblem,
  wantsRollout,
  type TermFlags,
} from '../steps/rollout-start.ts';
import { schemaOf, type SchemaFlags } from '../steps/release-schema.ts';
import { colorName, jsonText, type Terminal } from '../terminal/print.ts';
import { tell } from './switch.ts';

export interface DeployFlags extends ConfirmFlags, TermFlags, SchemaFlags {
  /** How far a rollout that is waited for has to get; undefined: to its end. */
  readonly until: string | undefined;
  readonly release: string;
  /** URL[,URL] */
  readonly targets: string;
  readonly evict: boolean;
  /** It may get traffic although a rollback has locked it out. */
  readonly unlock: boolean;
  /** Registered and no more: another command brings it the traffic. */
  readonly noSwitch: boolean;
  /** Only what would be done, or refused. */
  readonly dryRun: boolean;
  readonly reason: string | undefined;
  readonly wait: boolean;
  /** How long targets may take to get healthy, such as `1m`; undefined: what is usual. */
  readonly timeout: string | undefined;
}

/** Registers a release on the idle color, waits until it is healthy, and switches to it. */
export async function deploy(terminal: Terminal, flags: DeployFlags): Promise<ExitCode> {
  const targets = flags.targets.split(',').map((target) => target.trim());
  const within = flags.timeout ?? HEALTHY_WITHIN_DEFAULT;
  const problem =
    termsProblem(flags) ??
    rolloutProblem(flags) ??
    timeProblem('--timeout', within) ??
    (targets.includes('') ? '--targets: expected URL[,URL], got an empty one' : undefined);
  if (problem !== undefined) return complain(terminal, flags, { code: 'usage', message: problem });
  const schema = schemaOf(flags);
  if (typeof schema === 'string') {
    return complain(terminal, flags, { code: 'usage', message: schema });
  }
  if (wantsRollout(flags))
    return await deployInSteps(terminal, flags, { release: flags.release, targets, ...schema });
  const before = await planned(terminal, flags, undefined);
  if (!before.ok) return complain(terminal, flags, before.trouble);
  const { to } = before.plan;
  const { release, evict, unlock } = flags;
  const { service } = before.plan;
  // What would be refused at the end is refused now: the release that is there stays until then.
  const foreseen = await foresee(terminal, flags, [
    { kind: 'register', service, color: to, release, targets, evict, unlock, ...schema },
    { kind: 'switch', service, to },
  ]);
  if (!foreseen.ok) return complain(terminal, flags, foreseen.trouble);
  const inTheWay = foreseen.refused.filter(({ step }) => step === 0 || !flags.noSwitch);
  const [refused, ...more] = inTheWay.map(({ trouble }) => trouble);
  if (refused !== undefined) {
    const code = complain(terminal, flags, refused);
    if (!flags.json) for (const trouble of more) complain(terminal, flags, trouble);
    return code;
  }
  const shut = flags.noSwitch ? undefined : wayBackProblem(before.plan);
  if (shut !== undefined && !flags.json) terminal.err(`${service}: ${shut}`);
  if (flags.dryRun) return wouldDeploy(terminal, flags, before.plan, targets);
  const question = {
    method: 'PUT',
    path: withService(terminal, flags, `/v1/releases/${to}`),
    body: {
      release: flags.release,
      targets,
      ...(flags.evict ? { evict: true } : {}),
      ...(flags.unlock ? { unlock: true } : {}),
      ...schema,
      ...reasonOf(flags),
    } satisfies Fields<typeof releaseBody>,
    answer: changeAnswer,
  } as const;
  // On what is idle now: not on what another deployment has taken, or made active, meanwhile.
  const terms = { plan: before.plan, sameBy: 'binding' } as const;
  const { heard: registered } = await askAsPlanned(terminal, flags, { to, question }, terms);
  if (!registered.ok) return complain(terminal, flags, registered.trouble);
  if (flags.noSwitch) {
    const bar = foreseen.refused[0]?.trouble;
    return await registeredOnly(terminal, flags, { plan: before.plan, within, bar });
  }
  const healthy = await waitUntilHealthy(terminal, flags, { release: flags.release, to, within });
  if (!healthy.ok) return complain(terminal, flags, healthy.trouble);
  const body: Fields<typeof switchBody> = { to, ...reasonOf(flags) };
  const change = changeOf(terminal, flags, { path: '/v1/switch', body, answer: switchAnswer });
  const wanted: WantedSwitch = { to, question: change, holdText: undefined };
  const heard = wantsToAsk(terminal, flags)
    ? await askAndSwitch(terminal, flags, wanted)
    : (await askAsPlanned(terminal, flags, wanted, { plan: healthy.plan, sameBy: 'key' })).heard;
  if (heard.ok) return await tell(terminal, { ...flags, timeout: undefined }, heard);
  return notSwitched(terminal, flags, { to, trouble: heard.trouble });
}

/** The server registers, waits, moves and watches: a command that ends early changes nothing of it. */
async function deployInSteps(
  terminal: Terminal,
  flags: DeployFlags,
  registers: Pick<Fields<typeof rolloutBody>, 'release' | 'targets' | 'schema'>,
): Promise<ExitCode> {
  const { evict, unlock } = flags;
  const body: Fields<typeof rolloutBody> = {
    ...registers,
    ...(evict ? { evict } : {}),
    ...(unlock ? { unlock } : {}),
    ...termsOf(flags),
    ...reasonOf(flags),
  };
  return await startRollout(terminal, flags, body);
}

/** Returns what does not go together with a rollout, or undefined. */
function rolloutProblem(flags: DeployFlags): string | undefined {
  if (!wantsRollout(flags)) return undefined;
  if (flags.noSwitch) return '--no-switch: a plan, a bake or a guard is about a switch';
  return flags.timeout === undefined
    ? undefined
    : '--timeout: with a plan, `rollout.health` of the service says how long targets may take';
}

/** Tells where the release is, and what brings it the traffic, once it is healthy if that is waited for. */
async function registeredOnly(
  terminal: Terminal,
  flags: DeployFlags,
  {
    plan: { service, to },
    within,
    bar,
  }: { readonly plan: Plan; readonly within: string; readonly bar: Trouble | undefined },
): Promise<ExitCode> {
  const { release, wait, json } = flags;
  if (wait) {
    const healthy = await waitUntilHealthy(terminal, flags, { release, to, within });
    if (!healthy.ok) return complain(terminal, flags, healthy.trouble);
  }
  if (json) {
    terminal.out(jsonText({ service, color: to, release, switched: false, healthy: wait }));
    return EXIT.done;
  }
  const state = wait ? 'registered and healthy' : 'registered';
  const where = colorName(terminal, to);
  const next =
    bar === undefined
      ? `\`turnout switch ${to} --service ${service}\` brings it the traffic${wait ? '' : ' once it is healthy'}`
      : `a switch to it would be refused: ${troubleText(bar)[0]}`;
  terminal.out(
    `${service}: ${release} is ${state} on ${where}, traffic stays where it was; ${next}`,
  );
  return EXIT.done;
}

/** Tells what was not done. */
function wouldDeploy(
  terminal: Terminal,
  { release, json, noSwitch }: DeployFlags,
  { service, from, to }: Plan,
  targets: readonly string[],
): ExitCode {
  const answer = { service, from, to, release, targets, changed: false, dryRun: true };
  const where = `${colorName(terminal, to)} at ${targets.join(', ')}`;
  const move = `${colorName(terminal, from)} ${terminal.signs.arrow} ${colorName(terminal, to)}`;
  terminal.out(
    json
      ? jsonText(answer)
      : `${service}: ${release} would come to ${where}${noSwitch ? '' : `, then ${move}`}; nothing has changed`,
  );
  return EXIT.done;
}

/** Traffic has not moved, but the release is there now. */
function notSwitched(
  terminal: Terminal,
  flags: DeployFlags,
  { to, trouble }: { readonly to: Color; readonly trouble: Trouble },
): ExitCode {
  const isRefused = trouble.code === 'not-confirmed';
  const message = 'traffic stays where it was';
  const code = complain(terminal, flags, isRefused ? { ...trouble, message } : trouble);
  // Without an answer it is not known where the traffic is.
  const isKnown = isRefused || trouble.code === 'problem';
  if (!isKnown || flags.json) return code;
  const stays = `${flags.release} stays on ${to}`;
  // What has just refused a switch would refuse the next one.
  const mayBeMade = isRefused || isRefusal(trouble, 'generation-mismatch');
  const next = `\`turnout switch ${to}${serviceFlag(flags)}\` brings it the traffic`;
  terminal.err(mayBeMade ? `${stays}: ${next}` : stays);
  return code;
}

function reasonOf({ reason }: DeployFlags): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}
