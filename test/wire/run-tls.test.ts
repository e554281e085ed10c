// The wire cases once more over TLS, where nothing but what the proxy says of it may differ. Cut at some
// bytes, for what cutting tests is behind TLS the same; `TURNOUT_WIRE_CUTS=1`: at every byte.

import t from 'tap';
import { runWireCases } from '../support/wire-suite.ts';
import { overTls } from '../support/wire-transport.ts';

await runWireCases(t, overTls(), Number(process.env['TURNOUT_WIRE_CUTS'] ?? '8'));
