// What a configured or declared release says of the schema of the data: how its two settings go together.
// Knows no color, and nothing of what the data have.

import type { Issue, Path } from './draft.ts';

/** What a release says of the schema of the data. */
export interface ToldSchema {
  /** What its migrations bring. */
  readonly provides: number;
  /** What its code can work with, both ends included. */
  readonly requires: readonly [least: number, most: number];
}

/** The settings as they were read. */
interface SchemaValues {
  readonly provides?: number | undefined;
  readonly requires?: readonly [least: number, most: number] | undefined;
}

/** Returns what is wrong between the two, which stand at `at`. */
export function schemaIssues(values: SchemaValues | undefined, at: Path): Issue[] {
  const { provides, requires } = values ?? {};
  if (requires === undefined) return [];
  const say = (message: string): Issue[] => [{ path: [...at, 'requires'], message, at: 'value' }];
  if (provides === undefined) return say('expected provides beside it, got none');
  const [least, most] = requires;
  if (provides >= least && provides <= most) return [];
  return say(`expected a range that has ${provides}, which the release brings`);
}

/** Returns what the release says; undefined: nothing. */
export function schemaOf({ provides, requires }: SchemaValues): ToldSchema | undefined {
  if (provides === undefined) return undefined;
  return { provides, requires: requires ?? [provides, provides] };
}
