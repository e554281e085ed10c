// A WebSocket server of one color: tells it first, then sends messages of its own and checks those
// of the clients. Started by ws-children.ts, which asks over IPC and is answered there.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { unreachable } from '../../src/base/assert.ts';
import { Random } from './random.ts';
import { answerParent, Counts } from './ws-answering.ts';
import type { ServerAsk, ServerPlan, ServerVerdict } from './ws-children.ts';
import { Flow, MESSAGE_BYTES_MAX, Messages, seedsOf, sendNext } from './ws-messages.ts';

const plan = JSON.parse(process.argv[2]!) as ServerPlan;
const random = new Random(plan.seed);
const codes = new Counts();
const faults = new Counts();
const open: { readonly socket: WebSocket; readonly messages: Messages }[] = [];
let accepted = 0;
let deflated = 0;
let messageCount = 0;

// Health checks get 200.
const server = createServer((_request, response) => response.end(plan.color));
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: { threshold: 64 },
  maxPayload: MESSAGE_BYTES_MAX,
});

sockets.on('connection', (socket, request) => {
  accepted++;
  if (socket.extensions !== '') deflated++;
  const seed = Number(new URL(request.url ?? '', 'http://host').searchParams.get('seed'));
  const { fromServer, toServer } = seedsOf(seed);
  const expected = new Messages(toServer);
  const entry = { socket, messages: new Messages(fromServer) };
  socket.on('message', (data) => {
    messageCount++;
    if (!(data as Buffer).equals(expected.next())) faults.add('a message is not the next one');
  });
  socket.on('error', (error) => faults.add(error.message));
  socket.on('close', (code) => {
    codes.add(String(code));
    open.splice(open.indexOf(entry), 1);
    if (open.length === 0) sockets.emit('emptied');
  });
  socket.send(plan.color);
  open.push(entry);
});

const flow = new Flow(() => {
  const one = open[random.below(open.length)];
  return one !== undefined && sendNext(one.socket, one.messages, random);
});

function verdict(): ServerVerdict {
  return {
    open: open.length,
    accepted,
    deflated,
    messages: messageCount,
    codes: codes.toObject(),
    faults: faults.toObject(),
  };
}

async function obey(ask: ServerAsk): Promise<ServerVerdict | undefined> {
  switch (ask.do) {
    case 'flow':
      flow.set(ask.perSecond);
      return undefined;
    case 'emptied':
      while (open.length > 0) await once(sockets, 'emptied');
      return verdict();
    case 'tell':
      return verdict();
    default:
      return unreachable(ask);
  }
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
await once(server, 'listening');
answerParent(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, obey);
