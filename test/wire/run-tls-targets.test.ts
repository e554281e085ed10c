// The wire cases once more to targets over TLS, where nothing may differ. Cut at some bytes, for what
// cutting tests is the same; `TURNOUT_WIRE_CUTS=1`: at every byte.

import t from 'tap';
import { runWireCases } from '../support/wire-suite.ts';
import { toTlsTargets } from '../support/wire-transport.ts';

await runWireCases(t, toTlsTargets(), Number(process.env['TURNOUT_WIRE_CUTS'] ?? '8'));
