// How fast the young generation of this process grows. Loading all modules leaves much garbage and
// nothing that stays, but V8 doubles the space for new objects with each collection that is busy,
// and never gives it back: 32 MiB in the main thread and 8 in each worker. A start that may not
// grow it costs 18 MiB less with two workers, and a few short collections more.

import v8 from 'node:v8';

/** The default of V8, in Node 24 and 26. */
const USUAL_FACTOR = 2;

/** From here on the young generation stays as it is, in every thread. */
export function keepHeapSmall(): void {
  v8.setFlagsFromString('--semi-space-growth-factor=1');
}

/** From here on it grows with what has to be done, as usual. */
export function letHeapGrow(): void {
  v8.setFlagsFromString(`--semi-space-growth-factor=${USUAL_FACTOR}`);
}
