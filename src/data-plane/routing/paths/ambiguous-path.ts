// Paths that an app may read as another path than the one that is written there, whether it decodes
// them once, twice (behind another proxy) or not at all.

/** What stands for a border of segments, doubled or in another form, or begins another part. */
const MISREAD: readonly string[] = ['//', '\\', ';', '#'];

/** What some decoders make the same of, in UTF-8; each begins with bytes that are plain alone. */
const MISREAD_BYTES: readonly string[] = [
  // Three and four bytes for what takes one (RFC 3629 §3 forbids it).
  ...(['%e0%8', '%e0%9', '%f0%8'] as const),
  // Dots and slashes that become the usual ones by NFKC or by a best fit: U+FF0E, U+2024 to U+2026,
  // U+FE52; U+FF0F, U+2044, U+2215; U+FF3C, U+2216, U+FE68.
  ...(['%ef%bc%8e', '%e2%80%a4', '%e2%80%a5', '%e2%80%a6', '%ef%b9%92'] as const),
  ...(['%ef%bc%8f', '%e2%81%84', '%e2%88%95'] as const),
  ...(['%ef%bc%bc', '%e2%88%96', '%ef%b9%a8'] as const),
];

/** Each pair of hexadecimal digits that means the same after a `%`, to whatever decodes it. */
const PLAIN_BYTES: ReadonlySet<string> = plainBytes();

/** Tells whether `path` has such signs, encoded or not, or a segment that is `.` or `..` to some. */
export function isAmbiguousPath(path: string): boolean {
  const lower = path.toLowerCase().replaceAll('%2e', '.');
  for (const sign of MISREAD) if (lower.includes(sign)) return true;
  if (!lower.includes('%')) return lower.split('/').some(isDots);
  for (const bytes of MISREAD_BYTES) if (lower.includes(bytes)) return true;
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
