// What `turnout apply` reads: a document that declares what should be active, and which releases
// run where. A part of the configuration file in its shape, with the same rows; what is left out
// is left as it is.

import { z } from 'zod';
import { COLORS, type Color } from '../contract/table.ts';
import type { Target } from './values/target.ts';
import { readYaml, type PlaceOf } from './document.ts';
import { printPath, type Fault } from './fault.ts';
import { choice, optional } from './settings/kinds/row.ts';
import type { Issue, Path } from './settings/relations/draft.ts';
import { nearest } from './values/suggest.ts';
import { issuesOf, keysIn, sectionSchema, type ValueOf } from './settings/schema/schema.ts';
import { SERVICE_SETTINGS, SERVICES_MAX } from './settings/table/service-settings.ts';
import { schemaIssues, schemaOf, type ToldSchema } from './settings/relations/told-schema.ts';

const { name, active, blue, green } = SERVICE_SETTINGS;

const DECLARED_SETTINGS = {
  name: optional(name, 'the only one'),
  active,
  plan: choice({
    of: ['all-at-once'],
    fallback: 'all-at-once',
    doc: 'How traffic moves.',
    why: 'this version moves all traffic in one step',
  }),
  blue,
  green,
} as const;

type DeclaredValues = ValueOf<typeof DECLARED_SETTINGS>;

/** One service as it should be. */
export interface Declared {
  /** Undefined: the only one that there is. */
  readonly name: string | undefined;
  readonly active: Color | undefined;
  /** Undefined: whatever runs there. */
  readonly blue: DeclaredSide | undefined;
  readonly green: DeclaredSide | undefined;
}

export interface DeclaredSide {
  readonly release: string;
  /** Left out: nothing is said of it. */
  readonly schema?: ToldSchema | undefined;
  /** In normal form. */
  readonly urls: readonly string[];
}

export type Declaration =
  | { readonly ok: true; readonly services: readonly Declared[] }
  | { readonly ok: false; readonly faults: readonly Fault[] };

const service = sectionSchema(DECLARED_SETTINGS, {});
const several = z.strictObject({ services: z.array(service).min(1).max(SERVICES_MAX) });

/** Returns what `text` declares, or all of its faults; `file` stands in them. Never throws. */
export function readDeclaration(file: string, text: string): Declaration {
  const read = readYaml(text.replace(/^\uFEFF/, ''));
  if (!read.ok) {
    const faults = read.faults.map(({ line, column, message }): Fault => {
      return { where: { kind: 'file', file, line, column }, path: '', message };
    });
    return { ok: false, faults };
  }
  const raw = read.raw ?? {};
  const isList = typeof raw === 'object' && 'services' in raw;
  const checked = (isList ? several : service).safeParse(raw, { reportInput: true });
  const at = { file, placeOf: read.placeOf };
  if (!checked.success) {
    const issues = issuesOf(checked.error, (key, path) => nearest(key, keysAt(path, isList)));
    return { ok: false, faults: faultsOf(issues, at) };
  }
  // The one cast from outside data: the schema is made from the same rows as the type.
  const values = (isList ? checked.data['services'] : [checked.data]) as readonly DeclaredValues[];
  const issues = values.flatMap((one, index) => issuesIn(one, isList ? ['services', index] : []));
  const all = [...issues, ...nameIssues(values)];
  if (all.length > 0) return { ok: false, faults: faultsOf(all, at) };
  return { ok: true, services: values.map(declared) };
}

function keysAt(path: Path, isList: boolean): readonly string[] {
  if (!isList)
    return [...keysIn(DECLARED_SETTINGS, path), ...(path.length === 0 ? ['services'] : [])];
  return path.length === 0 ? ['services'] : keysIn(DECLARED_SETTINGS, path.slice(2));
}

function issuesIn(values: DeclaredValues, at: Path): Issue[] {
  const sides = COLORS.flatMap((color): Issue[] => {
    const { release, schema, targets } = values[color];
    const unfit = schemaIssues(schema, [...at, color, 'schema']);
    if (unfit.length > 0) return unfit;
    if (schema.provides !== undefined && targets.length === 0) {
      return [issue([...at, color], 'expected targets beside the schema, got none')];
    }
    if (release === '' && targets.length > 0) {
      return [issue([...at, color], 'expected a release beside the targets, got none')];
    }
    if (release !== '' && targets.length === 0) {
      return [issue([...at, color], 'expected targets beside the release, got none')];
    }
    const urls = targets.map(({ url }) => url);
    return urls.flatMap((url, index) =>
      urls.indexOf(url) < index
        ? [issue([...at, color, 'targets', index], `expected each target once, got ${url} twice`)]
        : [],
    );
  });
  if (sides.length > 0) return sides;
  const shared = values.green.targets.filter(({ url }) => isIn(values.blue.targets, url));
  if (shared.length > 0) {
    const urls = shared.map(({ url }) => url).join(', ');
    return [issue([...at, 'green', 'targets'], `${urls} is declared for blue, too`)];
  }
  const { active: wanted, blue: one, green: other } = values;
  if (wanted !== undefined || one.targets.length + other.targets.length > 0) return [];
  return [issue(at, 'expected active, blue or green, got none: nothing is declared')];
}

function isIn(targets: readonly Target[], url: string): boolean {
  return targets.some((target) => target.url === url);
}

function nameIssues(values: readonly DeclaredValues[]): Issue[] {
  if (values.length === 1) return [];
  const names = values.map((one) => one.name);
  return names.flatMap((one, index): Issue[] => {
    const path = ['services', index];
    if (one === undefined) return [issue(path, 'expected a name, since there are several')];
    if (names.indexOf(one) === index) return [];
    return [issue([...path, 'name'], `expected each service once, got ${one} twice`)];
  });
}

function issue(path: Path, message: string): Issue {
  return { path, message, at: 'value' };
}

function faultsOf(
  issues: readonly Issue[],
  { file, placeOf }: { readonly file: string; readonly placeOf: PlaceOf },
): Fault[] {
  const placed = issues.map(({ path, message, at }) => {
    const { line, column } = placeOf(path, at);
    return { where: { kind: 'file', file, line, column } as const, path: printPath(path), message };
  });
  return placed.toSorted((a, b) => a.where.line - b.where.line || a.where.column - b.where.column);
}

function declared(values: DeclaredValues): Declared {
  const side = (color: Color): DeclaredSide | undefined => {
    const { release, targets } = values[color];
    if (targets.length === 0) return undefined;
    const schema = schemaOf(values[color].schema);
    const urls = targets.map(({ url }) => url);
    return { release, urls, ...(schema === undefined ? {} : { schema }) };
  };
  return { name: values.name, active: values.active, blue: side('blue'), green: side('green') };
}
