// How traffic moves to another deployment, as an operator writes it: `canary-10-5m`, a name that AWS
// CodeDeploy, Lambda or ECS uses for the same, or steps of one's own. What a step waits for beyond its
// time (gates, the guard) is not known here.
//
//   plan  = ( name | steps ) [ "+ramp-" T ]
//   steps = step *( "," step )
//   step  = P "%" *( ":" ( T | "pause" | "approve" ) )

import { durationText, parseDuration } from '../../base/duration.ts';
import { accept, quote, type Parsed } from '../../base/parsed.ts';
import { nearest } from './suggest.ts';

/** Shares are counted in ten-thousandths: one decimal of a percent, and room for ramps. */
export const WHOLE_SHARE = 10_000;

/** One share of the traffic, and what has to happen before the next. */
export interface PlanStep {
  /** Of `WHOLE_SHARE`. */
  readonly share: number;
  /** How long it is observed; 0 in the last step, which the bake follows. */
  readonly forMs: number;
  /** Whether an operator has to say that it goes on: `approve` may be asked of another one. */
  readonly end: 'next' | 'pause' | 'approve';
}

export interface TrafficPlan {
  /** As it was written. */
  readonly name: string;
  /** Shares grow; the last is the whole. */
  readonly steps: readonly PlanStep[];
  /** Over this time a share grows to that of its step; 0: at once. */
  readonly rampMs: number;
}

const STEPS_MAX = 100;
const STEP_MIN_MS = 10_000;
const STEP_MAX_MS = 7 * 86_400_000;
const RAMP_MIN_MS = 1_000;
const RAMP_MAX_MS = 600_000;
const PLAN_CHARS_MAX = 2_048;

/** Names that are offered where a plan is not known; more are understood. */
export const PLAN_NAMES = [
  'all-at-once',
  'canary-10-5m',
  'canary-10-10m',
  'canary-10-15m',
  'canary-10-30m',
  'linear-10-1m',
  'linear-10-2m',
  'linear-10-3m',
  'linear-10-10m',
  'BLUE_GREEN',
  'CANARY',
  'LINEAR',
  'CodeDeployDefault.AllAtOnce',
  'CodeDeployDefault.ECSAllAtOnce',
  'CodeDeployDefault.ECSCanary10Percent5Minutes',
  'CodeDeployDefault.ECSCanary10Percent15Minutes',
  'CodeDeployDefault.ECSLinear10PercentEvery1Minutes',
  'CodeDeployDefault.ECSLinear10PercentEvery3Minutes',
  'CodeDeployDefault.LambdaAllAtOnce',
  'CodeDeployDefault.LambdaCanary10Percent5Minutes',
  'CodeDeployDefault.LambdaCanary10Percent10Minutes',
  'CodeDeployDefault.LambdaCanary10Percent15Minutes',
  'CodeDeployDefault.LambdaCanary10Percent30Minutes',
  'CodeDeployDefault.LambdaLinear10PercentEvery1Minute',
  'CodeDeployDefault.LambdaLinear10PercentEvery2Minutes',
  'CodeDeployDefault.LambdaLinear10PercentEvery3Minutes',
  'CodeDeployDefault.LambdaLinear10PercentEvery10Minutes',
] as const;

const RAMP = /^(.*?)\s*\+\s*ramp-(\S+)$/i;
const AWS = new RegExp(
  [
    String.raw`^(?:CodeDeployDefault\.)?(?:ECS|Lambda)?`,
    String.raw`(?:(AllAtOnce)|Canary(\d+)Percent(\d+)Minutes?|Linear(\d+)PercentEvery(\d+)Minutes?)$`,
  ].join(''),
  'i',
);
const PERCENT = /^(\d{1,3}(?:\.\d)?)%?$/;

/** What may stand in no place of a plan. */
const EXPECTED =
  'a plan such as all-at-once, canary-10-5m, linear-10-1m or "10%:5m, 25%:10m:approve, 50%:pause"';

/** Returns the plan that `raw` names or spells out. */
export function parseTrafficPlan(raw: unknown): Parsed<TrafficPlan> {
  if (typeof raw !== 'string' || raw.trim() === '') return fault(`expected ${EXPECTED}`);
  if (raw.length > PLAN_CHARS_MAX) return fault('a plan has at most 2,048 characters');
  const name = raw.trim();
  const [, base = name, rampText] = RAMP.exec(name) ?? [];
  const ramp = rampText === undefined ? accept(0) : parseRamp(rampText);
  if (!ramp.ok) return ramp;
  const steps = base.includes('%') ? ownSteps(base) : namedSteps(base.trim());
  if (!steps.ok) return steps;
  return accept({ name, steps: steps.value, rampMs: ramp.value });
}

/** Returns `plan` with every step written out: `10%:5m, 100%`. It reads back as the same steps. */
export function planText({ steps, rampMs }: TrafficPlan): string {
  const texts = steps.map(({ share, forMs, end }) => {
    const parts = [shareText(share)];
    if (forMs > 0) parts.push(durationText(forMs));
    if (end !== 'next') parts.push(end);
    return parts.join(':');
  });
  return texts.join(', ') + (rampMs === 0 ? '' : `+ramp-${durationText(rampMs)}`);
}

/** Returns a share as people write it: `12.5%`. */
export function shareText(share: number): string {
  return `${Number((share / 100).toFixed(1))}%`;
}

function namedSteps(name: string): Parsed<readonly PlanStep[]> {
  const [kind, percent, time, ...more] = splitName(name);
  if (more.length > 0) return unknownPlan(name);
  if (kind === 'all-at-once') {
    return percent === undefined ? accept([LAST]) : unknownPlan(name);
  }
  if (kind === undefined || percent === undefined || time === undefined) return unknownPlan(name);
  const share = parseShare(percent);
  const forMs = parseStepTime(time);
  if (!share.ok) return share;
  if (!forMs.ok) return forMs;
  const step = { forMs: forMs.value, end: 'next' } as const;
  if (share.value === WHOLE_SHARE) return fault(`${name}: 100 % at once is all-at-once`);
  if (kind === 'canary') return accept([{ share: share.value, ...step }, LAST]);
  const count = Math.ceil(WHOLE_SHARE / share.value) - 1;
  if (count >= STEPS_MAX) return fault(`${name}: at most ${STEPS_MAX} steps, so at least 1 % each`);
  const shares = Array.from({ length: count }, (_, at) => share.value * (at + 1));
  return accept([...shares.map((one) => ({ share: one, ...step })), LAST]);
}

const LAST: PlanStep = { share: WHOLE_SHARE, forMs: 0, end: 'next' };

/** Returns kind, percent and time of a plan that is named, in our words. */
function splitName(name: string): (string | undefined)[] {
  const lower = name.toLowerCase();
  if (lower === 'blue_green' || lower === 'all-at-once') return ['all-at-once'];
  if (lower === 'canary') return ['canary', '5', '10m'];
  if (lower === 'linear') return ['linear', '10', '6m'];
  const [, all, canary, canaryMinutes, linear, linearMinutes] = AWS.exec(name) ?? [];
  if (all !== undefined) return ['all-at-once'];
  if (canary !== undefined) return ['canary', canary, `${canaryMinutes}m`];
  if (linear !== undefined) return ['linear', linear, `${linearMinutes}m`];
  const [kind, ...rest] = lower.split('-');
  return kind === 'canary' || kind === 'linear' ? [kind, ...rest] : [];
}

function ownSteps(text: string): Parsed<readonly PlanStep[]> {
  const parts = text.split(',');
  if (parts.length > STEPS_MAX) return fault(`a plan has at most ${STEPS_MAX} steps`);
  const steps: PlanStep[] = [];
  for (const part of parts) {
    const step = ownStep(part.trim());
    if (!step.ok) return step;
    const before = steps.at(-1)?.share ?? 0;
    if (step.value.share <= before) {
      return fault(`shares must grow: ${shareText(step.value.share)} after ${shareText(before)}`);
    }
    steps.push(step.value);
  }
  const isWhole = steps.at(-1)!.share === WHOLE_SHARE;
  return accept(isWhole ? steps : [...steps, LAST]);
}

function ownStep(text: string): Parsed<PlanStep> {
  const [percent = '', ...rest] = text.split(':').map((part) => part.trim());
  if (!percent.endsWith('%')) return fault(`expected a share such as 10% in ${quote(text)}`);
  const share = parseShare(percent);
  if (!share.ok) return share;
  let forMs = 0;
  let end: PlanStep['end'] = 'next';
  for (const part of rest) {
    const word = part.toLowerCase();
    if (word === 'pause' || word === 'approve') {
      if (end !== 'next') return fault(`${quote(text)} says twice who lets it go on`);
      end = word;
      continue;
    }
    const time = parseStepTime(part);
    if (!time.ok) return time;
    if (forMs > 0) return fault(`${quote(text)} has two times`);
    forMs = time.value;
  }
  const isLast = share.value === WHOLE_SHARE;
  if (isLast && rest.length > 0) {
    return fault('100% is the last step and has no time of its own: set "bake" for what follows');
  }
  if (!isLast && rest.length === 0) {
    return fault(`${quote(text)} needs a time, pause or approve: ${shareText(share.value)}:5m`);
  }
  return accept({ share: share.value, forMs, end });
}

function parseShare(text: string): Parsed<number> {
  const number = Number(PERCENT.exec(text)?.[1]);
  // Rounded: 0.1 × 100 is not whole in binary floating point.
  if (!(number >= 0.1 && number <= 100)) {
    return fault(
      `expected a share from 0.1% to 100%, with one decimal at most, got ${quote(text)}`,
    );
  }
  return accept(Math.round(number * 100));
}

function parseStepTime(text: string): Parsed<number> {
  return bounded(text, { minMs: STEP_MIN_MS, maxMs: STEP_MAX_MS, what: 'a step takes' });
}

function parseRamp(text: string): Parsed<number> {
  return bounded(text, { minMs: RAMP_MIN_MS, maxMs: RAMP_MAX_MS, what: 'a ramp takes' });
}

function bounded(
  text: string,
  { minMs, maxMs, what }: { readonly minMs: number; readonly maxMs: number; readonly what: string },
): Parsed<number> {
  const time = parseDuration(text);
  if (!time.ok) return time;
  if (time.value >= minMs && time.value <= maxMs) return time;
  return fault(`${what} from ${durationText(minMs)} to ${durationText(maxMs)}, got ${quote(text)}`);
}

function unknownPlan(name: string): Parsed<never> {
  const hint = nearest(name, PLAN_NAMES);
  return fault(
    `there is no plan ${quote(name)}${hint === '' ? '' : hint.slice(0, -1)}; ` +
      `known: ${PLAN_NAMES.join(', ')}; or steps such as "10%:5m, 50%:pause"`,
  );
}

function fault(problem: string): Parsed<never> {
  return { ok: false, problem };
}
