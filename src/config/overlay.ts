// Flags and environment variables: which there are, what each says, and which names are wrong.

import type { Fault, Where } from './fault.ts';

import type { ListRow, Row } from './settings/kinds/row.ts';
import { nearest } from './values/suggest.ts';
import { allSettings, type Setting } from './settings/table/settings-list.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
/** Flag without dashes → its text. */
export type Flags = Readonly<Record<string, string | undefined>>;

/** A setting that a flag or variable gives; flags win over variables. */
export interface Given {
  readonly setting: Setting;
  /** As a file would hold it. */
  readonly raw: unknown;
  readonly where: Where;
}

/** Variables that belong to the commands and not to the settings. */
const OTHER_VARIABLES = [
  'TURNOUT_CONFIG',
  'TURNOUT_SERVICE',
  'TURNOUT_JSON',
  'TURNOUT_YES',
  'TURNOUT_TOKEN',
  'TURNOUT_CA',
  'TURNOUT_CERT',
  'TURNOUT_KEY',
  'TURNOUT_HANDOVER',
] as const;

/**
 * What Kubernetes puts into every container when a Service is named `turnout` or `turnout-…`.
 * None of our variables ends like these, so they are told apart by their end.
 */
const SERVICE_LINK =
  /_SERVICE_HOST$|_SERVICE_PORT(?:_[A-Z0-9_]+)?$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)?$/;

/** Returns the settings that are given and right, and the faults of the others. */
export function readOverlay(
  environment: Environment,
  flags: Flags,
): { readonly given: readonly Given[]; readonly faults: readonly Fault[] } {
  const given: Given[] = [];
  const faults: Fault[] = [];
  for (const setting of allSettings()) {
    const row = rowOfText(setting);
    if (row === undefined) continue;
    const sources: readonly (readonly [string | undefined, Where])[] = [
      [environment[setting.variable], { kind: 'variable', name: setting.variable }],
      [flags[setting.flag], { kind: 'flag', name: setting.flag }],
    ];
    let last: Given | undefined;
    for (const [text, where] of sources) {
      // An empty variable is one that a compose file passed on without having it.
      if (text === undefined || (text === '' && where.kind === 'variable')) continue;
      const { raw, problems } = readText(row, text);
      const path = setting.name;
      faults.push(...problems.map((message) => ({ where, path, message })));
      if (problems.length === 0) last = { setting, raw, where };
    }
    if (last !== undefined) given.push(last);
  }
  return { given, faults };
}

/** Returns one sentence for each variable that looks like ours and is not. */
export function unknownVariables(environment: Environment): readonly string[] {
  const known = [...OTHER_VARIABLES, ...allSettings().map((setting) => setting.variable)];
  return Object.keys(environment)
    .filter((name) => name.startsWith('TURNOUT_') && !known.includes(name))
    .filter((name) => !SERVICE_LINK.test(name))
    .toSorted()
    .map((name) => `${name}: unknown variable, ignored${nearest(name, known)}`);
}

/** Returns what a flag or variable says; undefined: the setting has none. */
function rowOfText({ row, flag }: Setting): Row<unknown> | ListRow<unknown> | undefined {
  if (row.kind === 'entries') return row.single?.row;
  return flag === '' || row.kind === 'mapping' ? undefined : row;
}

function readText(
  row: Row<unknown> | ListRow<unknown>,
  text: string,
): { readonly raw: unknown; readonly problems: readonly string[] } {
  const raw = row.kind === 'list' ? split(text) : row.fromText(text);
  if (row.kind === 'list' && split(text).length > row.countMax) {
    return { raw, problems: [`expected at most ${row.countMax} ${row.noun}, got more`] };
  }
  const problems = (row.kind === 'list' ? split(text) : [raw]).flatMap((one) => {
    const parsed = row.parse(one);
    return parsed.ok ? [] : [parsed.problem];
  });
  return { raw, problems };
}

function split(text: string): readonly string[] {
  return text === '' ? [] : text.split(',').map((part) => part.trim());
}
