// Sizes as people write them: `512B`, `16KiB`, `1MiB`, or `16Ki` and `1Mi` as in Kubernetes. Binary
// units only: `KB` means two things.

import { accept, refuse, type Parsed } from '../../base/parsed.ts';

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
};
const FORM = /^(\d{1,9})(?:(B)|(Ki|Mi|Gi)B?)$/;

/** What a size looks like, as a regular expression for JSON Schema. */
export const SIZE_PATTERN = FORM.source;

/** Returns the bytes of `raw`. Only 0 may stand without a unit. */
export function parseSize(raw: unknown): Parsed<number> {
  if (raw === 0 || raw === '0') return accept(0);
  const expected = 'a size such as 512B, 16KiB or 1MiB';
  if (typeof raw === 'number') return refuse(expected, raw, 'the unit is missing');
  const match = typeof raw === 'string' ? FORM.exec(raw) : null;
  if (match === null) return refuse(expected, raw);
  return accept(Number(match[1]) * UNIT_BYTES[(match[2] ?? match[3])!]!);
}
