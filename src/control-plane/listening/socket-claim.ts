// The files of Unix sockets: whether a path is free, and which process removes the file in the end. A
// killed process leaves its file behind; a living one still answers on it.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { stat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Config } from '../../config/config.ts';
import type { Inheritance } from './inheritance.ts';
import { codeOf } from '../base/problems.ts';

/**
 * Makes `path` free for a socket of ours: a file on which no process listens is removed. Fails with
 * EADDRINUSE when one listens, or when something else is there.
 */
export async function claimSocketFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined); // Not there: it is free.
  if (found === undefined) return;
  if (found.isSocket() && !(await isAlive(path))) {
    await unlink(path);
    return;
  }
  throw Object.assign(new Error(`address already in use ${path}`), { code: 'EADDRINUSE' });
}

async function isAlive(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return codeOf(error) !== 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}

/** Removes the files of our sockets, once no process listens on them; those of systemd stay. */
export function removeSocketFiles(config: Config, inheritance: Inheritance): void {
  const { dataPlane, admin, metrics } = config;
  const previews = dataPlane.listeners.filter(({ use }) => use === 'preview');
  const others = dataPlane.listeners.filter(({ use }) => use !== 'preview');
  const places = [
    ...others.map(({ address }, at) => ({ listen: address, sockets: inheritance.listen[at] })),
    ...previews.map(({ address }) => ({ listen: address, sockets: inheritance.preview })),
    { listen: admin.listen, sockets: inheritance.admin },
    { listen: metrics.listen, sockets: inheritance.metrics },
  ];
  for (const { listen, sockets } of places) {
    const isOfSystemd = sockets !== undefined && sockets.fds.length > 0 && sockets.address === '';
    if (listen?.kind === 'unix' && !isOfSystemd) rmSync(listen.path, { force: true });
  }
}
