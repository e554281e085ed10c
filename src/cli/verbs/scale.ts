// `turnout scale`: other targets for a deployment while it serves. The server refuses what is no
// scaling; here is only found out which deployment is meant, and what it has.

import { parseTarget } from '../../config/values/target.ts';
import {
  targetsAnswer,
  type targetsBody,
  type TargetsAnswer,
} from '../../api/deployment-targets.ts';
import {
  deploymentsAnswer,
  type DeploymentsAnswer,
  type KeptDeployment,
} from '../../api/releases.ts';
import { shown, type Lenient } from '../client/answer.ts';
import {
  askAndPrint,
  askQuietly,
  complain,
  refusal,
  serviceNamed,
  withService,
  type ClientFlags,
  type Fields,
  type Trouble,
} from '../client/client-command.ts';
import type { ExitCode } from '../client/exit.ts';
import type { Terminal } from '../terminal/print.ts';

export interface ScaleFlags extends ClientFlags {
  /** Number, release or color; undefined: the active one. */
  readonly of: string | undefined;
  /** All that it shall have: URL[,URL]. */
  readonly targets: string | undefined;
  /** Instead: what comes, and what goes. */
  readonly add: string | undefined;
  readonly remove: string | undefined;
  readonly reason: string | undefined;
}

/** Gives a deployment other targets. */
export async function scale(terminal: Terminal, flags: ScaleFlags): Promise<ExitCode> {
  const asked = readFlags(flags);
  if (typeof asked === 'string') {
    return complain(terminal, flags, { code: 'usage', message: asked });
  }
  const heard = await askQuietly(terminal, flags, {
    method: 'GET',
    path: withService(terminal, flags, '/v1/deployments'),
    body: undefined,
    answer: deploymentsAnswer,
  });
  if (!heard.ok) return complain(terminal, flags, heard.trouble);
  const found = find(heard.answer, flags.of, serviceNamed(terminal, flags));
  if ('code' in found) return complain(terminal, flags, found);
  const targets = targetsOf(asked, found.targets);
  if (typeof targets === 'string') {
    return complain(terminal, flags, { code: 'usage', message: targets });
  }
  const number = shown(found.deployment);
  if (targets.length === 0) {
    const detail = `deployment ${number} would have no target: register a release, then switch`;
    return complain(terminal, flags, refusal('replaces-all-targets', detail));
  }
  const { reason } = flags;
  const body: Fields<typeof targetsBody> = reason === undefined ? { targets } : { targets, reason };
  const service = encodeURIComponent(shown(found.service));
  return await askAndPrint(terminal, flags, {
    question: {
      method: 'PUT',
      path: `/v1/deployments/${number}/targets?service=${service}`,
      body,
      answer: targetsAnswer,
      ...(heard.answer.generation === undefined ? {} : { ifMatch: heard.answer.generation }),
    },
    show: (answer) => scaleText(answer),
  });
}

/** What was asked for, in normal form. */
interface AskedTargets {
  readonly all: readonly string[] | undefined;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Returns what is asked for, or what is wrong with that. */
function readFlags({ targets, add, remove }: ScaleFlags): AskedTargets | string {
  if ((targets === undefined) === (add === undefined && remove === undefined)) {
    return 'expected --targets with all of them, or --add and --remove with what changes';
  }
  const faults: string[] = [];
  const read = (name: string, text: string | undefined): string[] =>
    (text?.split(',') ?? []).flatMap((one) => {
      const target = parseTarget(one.trim());
      if (target.ok) return [target.value.url];
      faults.push(`${name}: ${one.trim()}: ${target.problem}`);
      return [];
    });
  const asked = {
    all: targets === undefined ? undefined : read('--targets', targets),
    add: read('--add', add),
    remove: read('--remove', remove),
  };
  return faults.length > 0 ? faults.join('; ') : asked;
}

/** Returns all that a deployment shall have which has `own`, or what is wrong with that. */
function targetsOf({ all, add, remove }: AskedTargets, own: readonly string[]): string[] | string {
  if (all !== undefined) return [...all];
  const missing = remove.filter((url) => !own.includes(url));
  if (missing.length > 0) return `--remove: ${missing.join(', ')} is none of ${own.join(', ')}`;
  const both = add.filter((url) => remove.includes(url));
  if (both.length > 0) return `expected each target once, got ${both.join(', ')} twice`;
  return [...new Set([...own.filter((url) => !remove.includes(url)), ...add])];
}

/** Returns the deployment that is meant, or why there is none. */
function find(
  { deployments }: Lenient<DeploymentsAnswer>,
  of: string | undefined,
  service: string,
): Lenient<KeptDeployment> | Trouble {
  const services = [...new Set(deployments.map((one) => shown(one.service)))];
  // A number means one of all services, and no other.
  const numbered = deployments.find((one) => String(one.deployment) === of);
  if (numbered !== undefined) return numbered;
  if (service === '' && services.length > 1) {
    return refusal('service-required', `expected one of: ${services.join(', ')}`);
  }
  const inUse = deployments.filter(({ use }) => USES.includes(String(use)));
  const found =
    of === undefined
      ? inUse.find(({ use }) => use === 'active')
      : (inUse.find(({ color }) => color === of) ?? inUse.find(({ release }) => release === of));
  if (found !== undefined) return found;
  const names = inUse.map((one) => `${shown(one.deployment)} (${shown(one.release)})`);
  const what = of === undefined ? 'no deployment is active' : `no deployment ${of} is in use`;
  return refusal('deployment-unknown', `${what}: expected one of ${names.join(', ')}`);
}

/** Of a deployment whose targets can be changed. */
const USES: readonly string[] = ['active', 'idle', 'draining'];

function scaleText({
  service,
  deployment,
  added,
  removed,
  changed,
}: Lenient<TargetsAnswer>): string {
  const name = `${shown(service)}: deployment ${shown(deployment)}`;
  if (changed !== true) return `${name} has these targets already`;
  const lines = [
    ...added.map((url) => `  + ${shown(url)}  gets traffic once it has passed a check`),
    ...removed.map((url) => `  - ${shown(url)}  gets no new request, what runs there drains`),
  ];
  const onward = `wait before you stop it: \`turnout drain --wait --deployment ${shown(deployment)}\``;
  return [
    `${name} goes on with other targets:`,
    ...lines,
    ...(removed.length > 0 ? [onward] : []),
  ].join('\n');
}
