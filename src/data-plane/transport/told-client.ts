// One client connection, as targets are told of it by a PROXY header: its ends, and the target
// connections that began with them. Such a connection is for this client connection alone: it rests
// between two requests of it, and ends with it. Knows no header and no socket.

import type { ConnectionEnds } from '../../base/proxy-greeting.ts';
import { Bonds } from './bonds.ts';

export class ToldClient {
  /** Undefined: it has no address. */
  readonly ends: ConnectionEnds | undefined;
  /** Not those of logins: where its next request goes is not decided by them. */
  readonly bonds = new Bonds();

  constructor(ends: ConnectionEnds | undefined) {
    this.ends = ends;
  }
}
