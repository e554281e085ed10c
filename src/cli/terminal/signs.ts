// Signs beyond ASCII that commands print, and what stands for them where a terminal has none. Text
// from outside, such as a reason, is printed as it came.

export interface Signs {
  /** Between two facts. */
  readonly dot: string;
  /** From what to what. */
  readonly arrow: string;
  /** Something is left out here. */
  readonly ellipsis: string;
  /** From the lowest to the highest; one cell each. */
  readonly bars: string;
  /** Before one of several things that come one after the other. */
  readonly done: string;
  readonly failed: string;
  readonly running: string;
  readonly next: string;
}

export const UNICODE_SIGNS: Signs = {
  dot: '·',
  arrow: '→',
  ellipsis: '…',
  bars: '▁▂▃▄▅▆▇█',
  done: '✔',
  failed: '✘',
  running: '▶',
  next: '·',
};

export const ASCII_SIGNS: Signs = {
  dot: '|',
  arrow: '->',
  ellipsis: '...',
  bars: '_.:-=+*#',
  done: '+',
  failed: 'x',
  running: '>',
  next: '.',
};

/**
 * Returns the signs of the locale that `environment` names. One that names no encoding, as `C` and
 * `de_DE`, is not UTF-8. Where nothing is named, as in most containers, signs are tried.
 */
export function signsOf(environment: Readonly<Record<string, string | undefined>>): Signs {
  // POSIX.1-2024 §8.2: the first that is set and not empty counts.
  const named = ['LC_ALL', 'LC_CTYPE', 'LANG'].map((name) => environment[name] ?? '');
  const locale = named.find((value) => value !== '');
  return locale === undefined || /utf-?8/i.test(locale) ? UNICODE_SIGNS : ASCII_SIGNS;
}
