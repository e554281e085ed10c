// Copying a head from one side to the other: everything as it came, except the lines that end
// at this hop (RFC 9110 §7.6.1) and the ones a policy replaces.

import { FIELD } from '../grammar/field-kind.ts';
import type { FieldLines } from '../grammar/fields.ts';
import type { HeadBuffer } from './head-buffer.ts';
import { namedLines } from '../grammar/named-lines.ts';

/** What copying needs of a parsed head. */
export interface CopyableHead {
  readonly bytes: Buffer;
  readonly lines: FieldLines;
  /** After the empty line. */
  readonly end: number;
  readonly connection: { readonly names: readonly number[]; marks: Uint8Array | undefined };
}

/** FIELD numbers of the lines to leave out: `dropped[kind]` is 1. */
export type DropTable = Uint8Array;

/** Returns a table that drops the hop-by-hop fields and `more`, but keeps `kept`. */
export function dropTable(more: readonly number[], kept: readonly number[] = []): DropTable {
  const table = new Uint8Array(Object.keys(FIELD).length);
  const hopByHop = [
    FIELD.connection,
    FIELD.keepAlive,
    FIELD.proxyConnection,
    FIELD.te,
    FIELD.transferEncoding,
    FIELD.upgrade,
    FIELD.http2Settings,
    FIELD.turnoutHops,
    FIELD.replaced,
  ];
  for (const kind of [...hopByHop, ...more]) table[kind] = 1;
  for (const kind of kept) table[kind] = 0;
  return table;
}

/**
 * Adds the bytes of `head` from `from` to `stop` to `to`, without the dropped lines and the runs in
 * `lines.cuts`. `stop` is at or after the last line: before the empty line, after
 * it, or inside the body. Cost: one copy per run of bytes between what is left out.
 */
export function copyHead(
  to: HeadBuffer,
  head: CopyableHead,
  from: number,
  stop: number,
  dropped: DropTable,
): void {
  const { bytes, lines } = head;
  const { kinds, count, cuts } = lines;
  const { names } = head.connection;
  let runStart = from;
  let cut = 0;
  for (let i = 0; i < count; i++) {
    if (dropped[kinds[i]!] === 0 && (names.length === 0 || !isNamed(head, i))) continue;
    const lineStart = lines.nameStart(i);
    for (; cut < cuts.length && cuts[cut]! < lineStart; cut += 2) {
      to.addRange(bytes, runStart, cuts[cut]!);
      runStart = cuts[cut + 1]!;
    }
    if (lineStart > runStart) to.addRange(bytes, runStart, lineStart);
    runStart = lineEnd(head, i);
    while (cut < cuts.length && cuts[cut]! < runStart) cut += 2; // inside what is dropped anyway
  }
  for (; cut < cuts.length; cut += 2) {
    to.addRange(bytes, runStart, cuts[cut]!);
    runStart = cuts[cut + 1]!;
  }
  if (stop > runStart) to.addRange(bytes, runStart, stop);
}

/** Returns the offset after line `i` and its line end. */
export function lineEnd({ lines, end }: Pick<CopyableHead, 'lines' | 'end'>, i: number): number {
  return i + 1 < lines.count ? lines.nameStart(i + 1) : end - 2;
}

/** The sender named the field in `line` in Connection: it ends at this hop. */
export function isNamed(head: CopyableHead, line: number): boolean {
  const { connection } = head;
  if (connection.names.length === 0) return false;
  connection.marks ??= namedLines(head.bytes, head.lines, connection.names);
  return connection.marks[line] === 1;
}
