// What is told of client connections: how many there are, and what became of their handshakes.

import { HANDSHAKE_OUTCOMES, WORKER_ROW } from '../../contract/counters.ts';
import type { Totals } from '../memory/totals.ts';
import { family, type Family } from './prometheus.ts';

export function connectionFamilies(totals: Totals): Family[] {
  const handshakes = family(
    'counter',
    'turnout_tls_handshakes_total',
    'Connections to listeners with TLS or a PROXY header that came to a protocol, or did not, by outcome.',
  );
  for (const [index, outcome] of HANDSHAKE_OUTCOMES.entries()) {
    handshakes.add({ outcome }, totals.worker(WORKER_ROW.handshakes + index));
  }
  return [
    family('gauge', 'turnout_connections_open', 'Client connections that are open.').add(
      {},
      totals.worker(WORKER_ROW.connectionsOpen),
    ),
    family(
      'counter',
      'turnout_connections_accepted_total',
      'Client connections that were accepted.',
    ).add({}, totals.worker(WORKER_ROW.connectionsAccepted)),
    family(
      'counter',
      'turnout_connections_refused_total',
      'Client connections closed at once because the limit was reached.',
    ).add({}, totals.worker(WORKER_ROW.connectionsRefused)),
    family(
      'counter',
      'turnout_connections_displaced_total',
      'Idle client connections closed to make room for others because the limit was reached.',
    ).add({}, totals.worker(WORKER_ROW.connectionsDisplaced)),
    family(
      'gauge',
      'turnout_tls_handshakes_open',
      'Connections that are still in their handshake, or before it.',
    ).add({}, totals.worker(WORKER_ROW.handshakesOpen)),
    handshakes,
  ];
}
