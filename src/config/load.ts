// File, environment and flags → the frozen configuration, or all of their faults at once.
// A flag wins over a variable, a variable over the file, the file over the default. This is
// the only place that reads the file, and with it the pages that it names; it starts nothing.

import { buildConfig, type Machine, type Said } from './build.ts';
import { withErrorPages } from './error-pages.ts';
import type { Config } from './config.ts';
import { readYaml, type PlaceOf } from './document.ts';
import { printPath, type Fault, type Where } from './fault.ts';
import { readText } from './read-text.ts';
import {
  readOverlay,
  unknownVariables,
  type Environment,
  type Flags,
  type Given,
} from './overlay.ts';
import { relationWarnings } from './settings/relations/relations.ts';
import type { Issue, Path } from './settings/relations/draft.ts';
import { checkAll, checkSettings } from './settings/schema/schema.ts';

export interface Sources {
  /** Path of the file; `TURNOUT_CONFIG` counts too, an empty text is no file. */
  readonly file: string;
  readonly environment: Environment;
  readonly flags: Flags;
  readonly machine: Machine;
}

export type Loaded =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly said: Said;
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly faults: readonly Fault[]; readonly warnings: readonly string[] };

/** Returns the configuration that `sources` make together. Never throws for what they hold. */
export function loadConfig(sources: Sources): Loaded {
  const isNamedByFlag = sources.file !== '';
  const name = isNamedByFlag ? sources.file : (sources.environment['TURNOUT_CONFIG'] ?? '');
  if (name === '') return settle(NO_FILE, sources);
  const text = readText(name);
  if (text.ok) return loadText(name, text.value, sources);
  const where: Where = isNamedByFlag
    ? { kind: 'flag', name: 'config' }
    : { kind: 'variable', name: 'TURNOUT_CONFIG' };
  return refused([{ where, path: '', message: text.problem }], sources);
}

/** As `loadConfig`, for a file that was already read; `name` stands in messages. */
export function loadText(name: string, text: string, sources: Omit<Sources, 'file'>): Loaded {
  // A byte order mark is what some editors begin a file with; it says nothing.
  const read = readYaml(text.replace(/^\uFEFF/, ''));
  if (read.ok) {
    // An empty file is a file in which nothing is set.
    return settle({ name, raw: read.raw ?? {}, placeOf: read.placeOf }, sources);
  }
  const faults = read.faults.map(({ line, column, message }): Fault => {
    return { where: { kind: 'file', file: name, line, column }, path: '', message };
  });
  return refused(faults.toSorted(byPlace), sources);
}

/** The file has no content to speak of; what flags and variables say is checked all the same. */
function refused(faults: readonly Fault[], sources: Omit<Sources, 'file'>): Loaded {
  const overlay = readOverlay(sources.environment, sources.flags);
  const warnings = unknownVariables(sources.environment);
  return { ok: false, faults: [...faults, ...overlay.faults], warnings };
}

interface SourceFile {
  /** Empty: there is no file. */
  readonly name: string;
  readonly raw: unknown;
  readonly placeOf: PlaceOf;
}

const NO_FILE: SourceFile = { name: '', raw: {}, placeOf: () => ({ line: 1, column: 1 }) };

function settle(file: SourceFile, sources: Omit<Sources, 'file'>): Loaded {
  const overlay = readOverlay(sources.environment, sources.flags);
  const warnings = unknownVariables(sources.environment);
  const merged = merge(file.raw, overlay.given);
  // The file is checked alone too: a flag over a wrong line must not hide that line.
  const alone = checkSettings(file.raw).map((issue) => locate(issue, file, []));
  const checked = withErrorPages(checkAll(merged.raw));
  if (checked.ok && alone.length + overlay.faults.length + merged.faults.length === 0) {
    const said = { values: checked.values, raw: merged.raw };
    const built = buildConfig(said, sources.machine);
    const all = [
      ...warnings,
      ...listWarnings(file.raw, overlay.given),
      ...relationWarnings(checked.values),
      ...built.warnings,
    ];
    return { ok: true, config: built.config, said, warnings: all };
  }
  const together = checked.ok
    ? []
    : checked.issues.map((issue) => locate(issue, file, merged.places));
  // A wrong flag leaves a hole, which is then no second fault: it has one name already.
  const holes = overlay.faults.map((fault) => fault.path);
  const faults = [...alone, ...together].filter((fault) => !isHole(fault, holes));
  const unique = new Map(
    [...faults.toSorted(byPlace), ...overlay.faults, ...merged.faults].map((fault) => [
      JSON.stringify(fault),
      fault,
    ]),
  );
  return { ok: false, faults: [...unique.values()], warnings };
}

/** Without its targets, a service looks as if it had none; the wrong target says why. */
function isHole(fault: Fault, holes: readonly string[]): boolean {
  if (fault.where.kind !== 'nowhere') return false;
  return holes.some((path) => path.endsWith('.targets')) && fault.path.startsWith('services');
}

/** One value in a flag or variable may stand in place of a whole list, with more than it says. */
function listWarnings(raw: unknown, given: readonly Given[]): string[] {
  return given.flatMap(({ setting: { path, name, row }, where }): string[] => {
    const [key = ''] = path;
    const listed = isRecord(raw) ? raw[key] : undefined;
    if (row.kind !== 'entries' || !Array.isArray(listed)) return [];
    if (where.kind !== 'flag' && where.kind !== 'variable') return [];
    const by = where.kind === 'flag' ? `--${where.name}` : where.name;
    return [`${by} stands in place of all that the file lists under ${name}, TLS included`];
  });
}

/** Settings that came by flag or variable: their path in the merged data. */
type Placed = readonly { readonly path: Path; readonly where: Where }[];

function merge(
  raw: unknown,
  given: readonly Given[],
): { readonly raw: unknown; readonly places: Placed; readonly faults: readonly Fault[] } {
  // A file that is no mapping has one fault, and nothing can be laid over it.
  if (!isRecord(raw)) return { raw, places: [], faults: [] };
  const root: Record<string, unknown> = { ...raw };
  const places: { path: Path; where: Where }[] = [];
  const faults: Fault[] = [];
  for (const { setting, raw: value, where } of given) {
    if (setting.scope === 'global') {
      if (put(root, setting.path, value)) places.push({ path: setting.path, where });
      continue;
    }
    const services = Array.isArray(root['services']) ? (root['services'] as unknown[]) : [{}];
    if (services.length > 1) {
      const message = `expected one service, got ${services.length}: set it in the file, for each`;
      faults.push({ where, path: setting.name, message });
      continue;
    }
    if (!isRecord(services[0])) continue;
    const service = { ...services[0] };
    root['services'] = [service];
    const path = ['services', 0, ...setting.path];
    if (put(service, setting.path, value)) places.push({ path, where });
  }
  return { raw: root, places, faults };
}

/** Sets `value` in `target`, copying the sections on the way; false if one is no section. */
function put(target: Record<string, unknown>, path: readonly string[], value: unknown): boolean {
  let section = target;
  for (const key of path.slice(0, -1)) {
    const inner = section[key] ?? {};
    if (!isRecord(inner)) return false;
    const copy = { ...inner };
    section[key] = copy;
    section = copy;
  }
  section[path.at(-1)!] = value;
  return true;
}

function locate(issue: Issue, file: SourceFile, places: Placed): Fault {
  const path = printPath(issue.path);
  const { message } = issue;
  const source = places.find((one) => one.path.every((key, at) => issue.path[at] === key));
  if (source !== undefined) return { where: source.where, path, message };
  if (file.name === '') return { where: { kind: 'nowhere' }, path, message };
  const { line, column } = file.placeOf(issue.path, issue.at);
  return { where: { kind: 'file', file: file.name, line, column }, path, message };
}

function byPlace(a: Fault, b: Fault): number {
  if (a.where.kind !== 'file' || b.where.kind !== 'file') return 0;
  return a.where.line - b.where.line || a.where.column - b.where.column;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
