// A killed process leaves the file of its Unix socket behind, and nobody else can listen on that
// path. A living one still answers on it.

import { once } from 'node:events';
import { stat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { codeOf } from './problems.ts';

/** Removes the socket file at `path` when nobody listens on it; anything else stays. */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined); // Not there: nothing to remove.
  if (!found?.isSocket()) return;
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED') await unlink(path);
  } finally {
    socket.destroy();
  }
}
