// Executes the wire cases of this folder: each in one piece, then cut at every byte of the request
// and of the response. README.md describes the notation.

import t from 'tap';
import { runWireCases } from '../support/wire-suite.ts';
import { PLAIN } from '../support/wire-transport.ts';

await runWireCases(t, PLAIN, 1);
