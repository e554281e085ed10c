// What an operator does about a refusal, by the stable code of the problem. A test compares both
// lists with the problems there are.

import type { ProblemCode } from '../../api/problem-codes.ts';

export const NEXT_STEPS: Readonly<Partial<Record<ProblemCode, string>>> = {
  'service-required': 'name one with --service',
  'reason-required': 'say why with --reason TEXT',
  unauthenticated: 'give a token: TURNOUT_TOKEN or --token; or a certificate: --cert and --key',
  forbidden: 'ask with a token of a higher role, or of the service that it is about',
  'too-many-failures': 'wait a moment, then ask with the right token',
  'too-many-changes': 'wait a moment; `turnout audit` shows what made so many of them',
  'token-unknown': '`turnout token list` lists those in use',
  'token-name-taken': 'choose another name',
  'too-many-tokens': 'revoke one that is not used any more: `turnout token list`',
  'idempotency-running': 'wait a moment, then look at `turnout status`',
  'came-through-turnout': 'name the admin address itself in --admin, not one that Turnout serves',
  'host-not-allowed': 'name the machine in --admin as its own address: 127.0.0.1 or localhost',
  'origin-not-allowed': 'commands are for terminals and scripts: ask without an Origin field',
  'not-found':
    'the server is of another version: compare `turnout --version` with `turnout status`',
  'method-not-allowed':
    'the server is of another version: compare `turnout --version` with `turnout status`',
  'service-unknown': '`turnout status` lists the services',
  'request-timeout': 'nothing has changed; look at the way to the server and try again',
  'deployment-unknown': '`turnout deployments` lists those that are kept',
  'too-many-previews': 'end one with `turnout preview --revoke DEPLOYMENT`',
  'drain-unknown': '`turnout drain` lists what drains',
  'replaces-all-targets':
    'keep one of its targets, or deploy all of it: `turnout deploy RELEASE --targets URL`',
  'color-active':
    'go by the idle color: `turnout deploy RELEASE --targets URL` registers and switches',
  'listener-unavailable':
    'choose a free address, or end the process that has it; nothing has changed',
  'config-invalid': '`turnout config check FILE` names every fault with its line',
  'certificate-invalid':
    'mend or exchange the files that are named; nothing has changed, and files that were good stay in use',
  'restart-required': '`turnout upgrade` takes the whole file over without dropping anything',
  'reload-unavailable': 'start it with `turnout run`',
  'no-slot': '`turnout drain` shows what drains; `turnout drain --evict` ends it',
  'hold-timeout': 'nothing has changed; give it a longer --hold, or switch without',
  'called-off': 'nothing has changed; look at `turnout status` before you try again',
  'not-serving': 'end that first: `turnout resume`, or `turnout maintenance off`',
  'no-targets': 'give the color targets: `turnout deploy RELEASE --targets URL`',
  'target-unhealthy':
    'mend its targets and try again, or go ahead at your own risk: --force --reason TEXT',
  'release-locked-out':
    'deploy another: `turnout deploy RELEASE --targets URL`; or, if it is well: `turnout unlock`',
  'scheduled-unknown': '`turnout scheduled` lists what is ordered, and what came of the last ones',
  'scheduled-over': '`turnout scheduled` tells what came of it',
  'scheduled-stale': 'order it again: `turnout switch RELEASE --at TIME`',
  'scheduled-late': 'switch now, or order it again with a longer --grace',
  'too-many-scheduled': '`turnout scheduled cancel ORDER` takes one of them back',
  'switching-frozen':
    '`turnout freezes` tells why and until when; then wait, `turnout unfreeze`, or roll back',
  'plan-invalid': '`turnout rollout plan PLAN` shows what a plan means, without doing anything',
  'rollout-running': 'look at it with `turnout rollout`; `turnout rollout abort` ends it',
  'rollout-unknown': '`turnout rollout list` lists those that are kept',
  'rollout-over': '`turnout rollout` shows how far it is, or how it ended',
  'not-waiting': '`turnout rollout` shows what it waits for',
  'gate-unknown': '`turnout rollout` shows its gates',
  'gate-failed': '`turnout rollout` shows what the gate found; mend that and deploy again',
  'no-release': 'bring one: `turnout deploy RELEASE --targets URL`',
  'schema-incompatible':
    '`turnout deployments` shows what each release needs; after a restore: `turnout rollout schema`',
  'point-of-no-return':
    'mend it forward; or, where the data fit again: `turnout rollout point-of-no-return off`',
  'approval-by-same-actor': 'let another person approve it with their own token',
  'nothing-to-roll-back-to': '`turnout deployments` lists what a rollback can be told to go to',
  'target-not-allowed':
    'use other targets, or have `targets.allow` or the rules of the token changed',
  'target-invalid': 'name targets like http://10.0.0.5:3000 or unix:/run/app.sock',
  'generation-mismatch': 'another change was made meanwhile: look at `turnout status` first',
  internal: 'look at the log of the server, then at `turnout status`',
  'upgrade-failed': 'the old process goes on; look at the log of the server and try again',
  'upgrade-unavailable': 'stop it and start the new version instead',
  upgrading: 'nothing has changed; try again in a moment, the new process will answer',
  busy: 'nothing has changed; try again in a moment',
  frozen: 'traffic goes on; look at the log of the server and restart it',
  stopping: 'start it again with `turnout run`',
  'not-ready': 'look at `turnout status` and at the log of the server',
  'outcome-unknown':
    'wait until `turnout status` takes changes again, then look at `turnout history`',
  'store-failed': 'nothing has changed; look at the disk and at the log of the server',
  'workers-not-ready': 'nothing has changed; look at the log of the server and try again',
};

/** The same for a reload, which has no flags that force or evict. */
const RELOAD_STEPS: Readonly<Partial<Record<ProblemCode, string>>> = {
  'address-in-use':
    'nothing has changed; wait for the end of what drains there, or end it: `turnout drain --evict`',
  'target-unhealthy': 'nothing has changed; mend its targets, then reload again',
  'switching-frozen': 'nothing has changed; `turnout freezes` tells why and until when',
};

interface Asked {
  /** Named in commands, where there are several; empty: none. */
  readonly service?: string | undefined;
  readonly isReload?: boolean | undefined;
}

/** Returns what to do about a problem; undefined: its own text says it, or the code is unknown. */
export function nextStep(
  code: string,
  { service = '', isReload = false }: Asked = {},
): string | undefined {
  const known: Readonly<Record<string, string>> = isReload
    ? { ...NEXT_STEPS, ...RELOAD_STEPS }
    : NEXT_STEPS;
  return Object.hasOwn(known, code) ? aboutService(known[code]!, service) : undefined;
}

/** Commands that have to name the service where there are several. */
const OF_SERVICE =
  /`turnout (?:rollout|switch|rollback|deploy|unlock|drain|hold|resume|maintenance|scale|preview|deployments)\b[^`]*/g;

/** Returns `step` with its commands as they have to be typed for `service`; empty: it needs no name. */
function aboutService(step: string, service: string): string {
  return service === '' ? step : step.replaceAll(OF_SERVICE, `$& --service ${service}`);
}

/** Words of the API in refusals, which a flag stands for on a command line. */
const FLAGS: Readonly<Record<string, string>> = {
  '"evict": true': '--evict',
  '"unlock": true': '--unlock',
  '"force" with a reason': '--force --reason TEXT',
  '"force" and a reason': '--force and --reason',
  'without "hold"': 'without --hold',
};

/** Returns a text of the server in the words of the command line. */
export function inOwnWords(text: string): string {
  let own = text;
  for (const [word, flag] of Object.entries(FLAGS)) own = own.replaceAll(word, flag);
  return own;
}

/** Problems whose own detail says what is wrong with what was typed, or that no command meets. */
export const NEED_NO_STEP: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'address-in-use',
  'body-invalid',
  'query-invalid',
  'json-malformed',
  'request-malformed',
  'if-match-malformed',
  'body-too-large',
  'content-type-not-json',
  'head-too-large',
  'idempotency-key-malformed',
  'idempotency-mismatch',
]);
