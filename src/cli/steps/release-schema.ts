// The flags that say what schema of the data a release brings and needs.

export interface SchemaFlags {
  /** A number; undefined: the release says nothing. */
  readonly schemaProvides: string | undefined;
  /** `10..12`, or one number; undefined: what it provides. */
  readonly schemaRequires: string | undefined;
}

interface ReleaseSchema {
  readonly provides: number;
  readonly requires: [least: number, most: number];
}

/** Returns the schema that the flags say, or what is wrong with them. */
export function schemaOf({
  schemaProvides,
  schemaRequires,
}: SchemaFlags): { readonly schema?: ReleaseSchema } | string {
  if (schemaProvides === undefined) {
    return schemaRequires === undefined ? {} : '--schema-requires needs --schema-provides NUMBER';
  }
  if (!NUMBER.test(schemaProvides)) {
    return `--schema-provides: expected a number such as 12, got "${schemaProvides}"`;
  }
  const range = RANGE.exec(schemaRequires ?? schemaProvides);
  if (range === null) {
    return `--schema-requires: expected a range such as 10..12, got "${schemaRequires}"`;
  }
  const [, least = '', most = least] = range;
  const provides = Number(schemaProvides);
  return { schema: { provides, requires: [Number(least), Number(most)] } };
}

const NUMBER = /^\d{1,14}$/;
const RANGE = /^(\d{1,14})(?:\.\.(\d{1,14}))?$/;
