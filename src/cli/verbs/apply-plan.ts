// Pure: what is declared and what the status says → the changes that are missing, in an order in
// which no release is ever put on the color that gets the traffic.

import type { Declared, DeclaredSide } from '../../config/declaration.ts';
import type { ServiceStatus, SideStatus, StatusAnswer } from '../../api/status-answer.ts';
import type { ToldSchema } from '../../config/settings/relations/told-schema.ts';
import { otherColor, type Color } from '../../contract/table.ts';
import { shown, type Lenient } from '../client/answer.ts';

/** One change. */
export type Step =
  | {
      readonly kind: 'register';
      readonly service: string;
      readonly color: Color;
      readonly from: DeclaredSide;
      readonly to: DeclaredSide;
    }
  | {
      readonly kind: 'scale';
      readonly service: string;
      readonly color: Color;
      /** What runs there, and goes on. */
      readonly deployment: number;
      readonly from: DeclaredSide;
      readonly to: DeclaredSide;
    }
  | {
      readonly kind: 'switch';
      readonly service: string;
      readonly from: Color;
      readonly to: Color;
      /** What runs there then; empty: it has no name. */
      readonly release: string;
    };

export type Missing =
  | { readonly ok: true; readonly steps: readonly Step[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Returns the steps that lead from `status` to what is declared, or why there are none. */
export function missingSteps(
  declared: readonly Declared[],
  { services }: Lenient<StatusAnswer>,
): Missing {
  const steps: Step[] = [];
  const problems: string[] = [];
  for (const one of declared) {
    const found = findService(services, one.name);
    if (typeof found === 'string') {
      problems.push(found);
      continue;
    }
    const problem = problemOf(one, found);
    if (problem === undefined) steps.push(...stepsOf(one, found));
    else problems.push(problem);
  }
  return problems.length === 0 ? { ok: true, steps } : { ok: false, problems };
}

/** A service as it is. */
interface Actual {
  readonly name: string;
  readonly active: Color;
  readonly blue: ActualSide;
  readonly green: ActualSide;
}

interface ActualSide extends DeclaredSide {
  readonly deployment: number;
}

/** Returns the service that is meant, or why there is none. */
function findService(
  services: readonly Lenient<ServiceStatus>[],
  name: string | undefined,
): Actual | string {
  const names = services.map((service) => shown(service.name));
  const isUnclear = name === undefined && services.length !== 1;
  if (isUnclear) return `expected the name of a service, one of: ${names.join(', ')}`;
  const at = name === undefined ? 0 : names.indexOf(name);
  if (at === -1) return `there is no service ${name}; expected one of: ${names.join(', ')}`;
  const { active, blue, green } = services[at]!;
  return {
    name: names[at]!,
    active: active === 'green' ? 'green' : 'blue',
    blue: sideOf(blue),
    green: sideOf(green),
  };
}

function sideOf({
  release = '',
  schema,
  targets,
  deployment = 0,
}: Lenient<SideStatus>): ActualSide {
  const told = toldOf(schema);
  // A name has a row for each of its addresses.
  const urls = [...new Set(targets.map(({ url }) => shown(url)))];
  return { release, urls, ...(told === undefined ? {} : { schema: told }), deployment };
}

function toldOf(schema: Lenient<SideStatus>['schema']): ToldSchema | undefined {
  const provides = schema?.provides;
  if (provides === undefined) return undefined;
  const [least = provides, most = least] = schema?.requires ?? [];
  return { provides, requires: [least, most] };
}

/** What no order of steps can bring about. */
function problemOf(declared: Declared, actual: Actual): string | undefined {
  const { name, active } = actual;
  const wanted = declared.active ?? active;
  const side = declared[wanted];
  const isOther = side !== undefined && !isSame(side, actual[active]);
  if (wanted === active && isOther && !isScaling(side, actual[active])) {
    return (
      `${name}: ${active} gets the traffic with ${sideText(actual[active])}, so ` +
      `${sideText(side)} cannot be put there: declare it on ${otherColor(active)}, and ` +
      `active: ${otherColor(active)}` +
      (side.release !== actual[active].release
        ? ''
        : saysSame(side, actual[active])
          ? ', or keep one of its targets'
          : ', or leave its schema out')
    );
  }
  if (wanted !== active && (side ?? actual[wanted]).urls.length === 0) {
    return `${name}: ${wanted} shall be active but has no target: declare ${wanted} as well`;
  }
  return undefined;
}

function stepsOf(declared: Declared, actual: Actual): Step[] {
  const { name: service, active } = actual;
  const wanted = declared.active ?? active;
  const register = (color: Color): Step[] => {
    const to = declared[color];
    if (to === undefined || isSame(to, actual[color])) return [];
    const { deployment: _replaced, ...from } = actual[color];
    return [{ kind: 'register', service, color, from, to }];
  };
  // An address that the idle color gives up may be one that the active one gets.
  if (wanted === active) return [...register(otherColor(active)), ...scalingOf(declared, actual)];
  const { release } = declared[wanted] ?? actual[wanted];
  const change: Step = { kind: 'switch', service, from: active, to: wanted, release };
  // The color that is left is idle only then.
  return [...register(wanted), change, ...register(active)];
}

/** The active deployment goes on with other targets. */
function scalingOf(declared: Declared, { name, active, ...actual }: Actual): Step[] {
  const to = declared[active];
  const { deployment, ...from } = actual[active];
  if (to === undefined || isSame(to, from)) return [];
  return [{ kind: 'scale', service: name, color: active, deployment, from, to }];
}

/** Tells whether `actual` is what is declared. The order of targets says nothing. */
function isSame(declared: DeclaredSide, actual: DeclaredSide): boolean {
  return sameText(declared) === sameText(actual) && saysSame(declared, actual);
}

/** A declaration that says nothing of the schema of the data leaves what was said. */
function saysSame({ schema: declared }: DeclaredSide, { schema: actual }: DeclaredSide): boolean {
  return declared === undefined || schemaText(declared) === schemaText(actual);
}

function sameText({ release, urls }: DeclaredSide): string {
  return JSON.stringify([release, urls.toSorted()]);
}

/** Tells whether what is declared is the same release, and one of its targets stays. */
function isScaling(to: DeclaredSide, from: DeclaredSide): boolean {
  const isShared = to.urls.some((url) => from.urls.includes(url));
  return to.release === from.release && isShared && saysSame(to, from);
}

/** Returns what a scaling adds and takes away: `+ URL - URL`. */
export function scalingText({ from, to }: Pick<Step & { kind: 'scale' }, 'from' | 'to'>): string {
  const added = to.urls.filter((url) => !from.urls.includes(url)).map((url) => `+ ${url}`);
  const removed = from.urls.filter((url) => !to.urls.includes(url)).map((url) => `- ${url}`);
  return [...added, ...removed].join(' ');
}

/** Returns a release with where it runs, on one line. */
export function sideText({ release, urls, schema }: DeclaredSide): string {
  if (urls.length === 0) return 'nothing';
  return `${releaseText({ release })} at ${urls.join(', ')}${schemaText(schema)}`;
}

function schemaText(schema: ToldSchema | undefined): string {
  if (schema === undefined) return '';
  return ` (schema ${schema.provides}, works with ${schema.requires.join('..')})`;
}

/** Returns the name of a release. */
export function releaseText({ release }: Pick<DeclaredSide, 'release'>): string {
  return release === '' ? 'a release without a name' : release;
}
