// What is there while settings are checked: values of which some may be missing, and the faults found
// so far. Types alone, for the schema and for the checks of how settings go together.

import type { EntriesRow, Kinds, MappingRow, Part } from '../kinds/entries-row.ts';
import type { ListRow, Row } from '../kinds/row.ts';
import type { SERVICE_SETTINGS } from '../table/service-settings.ts';
import type { SETTINGS } from '../table/settings.ts';

type DraftOf<T> =
  T extends EntriesRow<infer K>
    ? readonly (EntryDraft<K> | undefined)[]
    : T extends MappingRow<infer V>
      ? ReadonlyMap<string, V>
      : T extends ListRow<infer V>
        ? readonly (V | undefined)[]
        : T extends Row<infer V>
          ? V
          : T extends Part<infer S>
            ? DraftOf<S> | undefined
            : { readonly [K in keyof T]?: DraftOf<T[K]> | undefined };

type EntryDraft<K extends Kinds> = {
  readonly [P in keyof K]: P extends '' ? DraftOf<K[P]> : { readonly kind: P } & DraftOf<K[P]>;
}[keyof K];

/** Values of which some may be missing because they were wrong. */
export type Draft = DraftOf<typeof SETTINGS> & {
  readonly services?: readonly (ServiceDraft | undefined)[] | undefined;
};
export type ServiceDraft = DraftOf<typeof SERVICE_SETTINGS>;

export type Path = readonly (string | number)[];

/** One fault in raw data. */
export interface Issue {
  readonly path: Path;
  readonly message: string;
  /** `key`: the key itself is wrong, not its value. */
  readonly at: 'key' | 'value';
}
