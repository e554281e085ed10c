// Paths that an app may read as another path than the one that is written there, whether it decodes
// them once, twice (behind another proxy) or not at all.

/** What stands for a border of segments, doubled or in another form, or begins another part. */
const MISREAD: readonly string[] = ['//', '\\', ';', '#'];

/** Each pair of hexadecimal digits that means the same after a `%`, to whatever decodes it. */
const PLAIN_BYTES: ReadonlySet<string> = plainBytes();

/** Tells whether `path` has such signs, encoded or not, or a segment that is `.` or `..` to some. */
export function isAmbiguousPath(path: string): boolean {
  const lower = path.toLowerCase().replaceAll('%2e', '.');
  for (const sign of MISREAD) if (lower.includes(sign)) return true;
  for (let at = lower.indexOf('%'); at !== -1; at = lower.indexOf('%', at + 1)) {
    if (!PLAIN_BYTES.has(lower.slice(at + 1, at + 3))) return true;
  }
  return lower.split('/').some(isDots);
}

/** It is nothing but dots, or dots before something encoded, which may be a blank. */
function isDots(segment: string): boolean {
  let end = 0;
  while (segment[end] === '.') end++;
  return end > 0 && (end === segment.length || segment[end] === '%');
}

function plainBytes(): Set<string> {
  // Borders and parts; what is encoded twice; 0xC0 and 0xC1 spell in two bytes what takes one.
  const misread = Buffer.from('/\\;#?%\x7f\xc0\xc1', 'latin1');
  const bytes = Array.from({ length: 0x100 - 0x20 }, (_, index) => index + 0x20);
  return new Set(bytes.filter((byte) => !misread.includes(byte)).map((byte) => byte.toString(16)));
}
