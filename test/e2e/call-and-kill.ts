// A call of the admin API in whose midst the process is killed.

import { once } from 'node:events';
import { connect } from 'node:net';
import type { Running } from './turnout-process.ts';

/** Sends a call, and kills from before it arrives to after its answer; resolves with that. */
export async function callAndKill(
  running: Running,
  path: string,
  { waitMs, body = {} }: { readonly waitMs: number; readonly body?: object },
): Promise<string> {
  const [host = '', port] = running.admin.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  let answer = '';
  socket.on('data', (bytes) => (answer += bytes.toString('latin1')));
  // A reset is one of the ways in which a killed process says goodbye.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  const text = JSON.stringify({ reason: 'by test', ...body });
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${running.admin}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${text.length}\r\n\r\n${text}`,
  );
  const endMs = performance.now() + waitMs;
  while (performance.now() < endMs); // A timer knows whole milliseconds only.
  running.process.kill('SIGKILL');
  await closed;
  await running.ended;
  return answer;
}
