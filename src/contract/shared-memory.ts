// The memory that all threads share, and which thread writes what. Beside that, the control plane
// clears counters and sightings where no worker writes any more.
//
//   pointer    Int32[1]           current generation                      writer: control plane
//   health     Int32[ENDPOINTS]   HEALTH_WORD of each endpoint            writer: control plane
//   counters   Float64[workers × REGION], see counters.ts                 writer: worker w in its region
//   sightings  Uint32[workers × PART], see session-sightings.ts           writer: worker w in its part
//   clients    Uint32[workers × PART], see client-sightings.ts            writer: worker w in its part

import { CLIENT_WORDS } from './client-sightings.ts';
import { ENDPOINTS_MAX, REGION_SLOTS } from './counters.ts';
import { SIGHTING_WORDS } from './session-sightings.ts';

/** The shared memory, as it is handed to every worker. */
export interface SharedMemory {
  readonly pointer: Int32Array;
  readonly health: Int32Array;
  readonly counters: Float64Array;
  readonly sightings: Uint32Array;
  readonly clients: Uint32Array;
}

/** Returns zeroed memory for `workerCount` workers; untouched pages cost nothing. */
export function allocateSharedMemory(workerCount: number): SharedMemory {
  return {
    pointer: new Int32Array(shared(1, Int32Array.BYTES_PER_ELEMENT)),
    health: new Int32Array(shared(ENDPOINTS_MAX, Int32Array.BYTES_PER_ELEMENT)),
    counters: new Float64Array(shared(workerCount * REGION_SLOTS, Float64Array.BYTES_PER_ELEMENT)),
    clients: new Uint32Array(shared(workerCount * CLIENT_WORDS, Uint32Array.BYTES_PER_ELEMENT)),
    sightings: new Uint32Array(shared(workerCount * SIGHTING_WORDS, Uint32Array.BYTES_PER_ELEMENT)),
  };
}

function shared(count: number, bytesEach: number): SharedArrayBuffer {
  return new SharedArrayBuffer(count * bytesEach);
}
