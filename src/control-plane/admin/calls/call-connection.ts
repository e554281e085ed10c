// How a caller is connected: from where, whether it is still there, and an answer that goes on as a stream. Knows no
// route.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback } from '../../../config/values/host-name.ts';
import { addressOf } from '../../base/peer.ts';
import type { Answer, CallConnection } from '../routes/route.ts';

/** Returns how the caller of `request` is connected. */
export function connectionOf(
  request: FastifyRequest,
  reply: FastifyReply,
  isStillAllowed: CallConnection['isStillAllowed'],
): CallConnection {
  const address = addressOf(request.socket);
  const lastEventId = request.headers['last-event-id'];
  return {
    isLocal: address === 'unix' || isLoopback(address),
    lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
    isStillAllowed,
    // Made where it is wanted: most calls are over at once.
    get gone() {
      const left = new AbortController();
      if (reply.raw.closed) left.abort();
      else reply.raw.once('close', () => left.abort());
      return left.signal;
    },
  };
}

/** Sends the head of a stream, and lets `stream` write the rest for as long as the caller is there. */
export function sendStream(
  request: FastifyRequest,
  reply: FastifyReply,
  stream: NonNullable<Answer['stream']>,
): FastifyReply {
  reply.hijack();
  const { raw } = reply;
  raw.on('error', () => {}); // The caller has left, as `close` tells.
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  raw.setHeader('content-type', 'text/event-stream; charset=utf-8');
  // A proxy in front must not collect what is told now (nginx).
  raw.setHeader('x-accel-buffering', 'no');
  raw.flushHeaders();
  if (request.method === 'HEAD') {
    raw.end();
    return reply;
  }
  const leave = stream({
    write(text) {
      if (!raw.destroyed && !raw.writableEnded) raw.write(text);
    },
    unsentBytes: () => raw.writableLength,
    end: () => raw.end(),
    destroy: () => raw.destroy(),
  });
  if (raw.closed) leave();
  else raw.once('close', leave);
  return reply;
}
