// "Did you mean": the nearest of the known words to one that is not known.

/** Words longer than this are no slips of the pen, and comparing them would cost time. */
const WORD_CHARS_MAX = 64;

/** Returns `: did you mean X?` if one of `known` is near enough to `word`, else nothing. */
export function nearest(word: string, known: readonly string[]): string {
  if (word.length > WORD_CHARS_MAX) return '';
  const wanted = plain(word);
  // A third of the letters may be wrong: more makes the answer a guess.
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  let best = '';
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    best = candidate;
  }
  return best === '' ? '' : `: did you mean ${best}?`;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

/** Returns how many letters must be added, dropped, changed or swapped to get from a to b. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      let cost = Math.min(
        previous[column]! + 1,
        current[column - 1]! + 1,
        previous[column - 1]! + (isSame ? 0 : 1),
      );
      const isSwap = row > 1 && column > 1 && a[row - 1] === b[column - 2];
      if (isSwap && a[row - 2] === b[column - 1]) cost = Math.min(cost, before[column - 2]! + 1);
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length]!;
}
