// An app of one color for a browser: a page that opens an EventSource and a WebSocket, shows what
// they say, and remembers when they said it and how they closed.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { WebSocketServer } from 'ws';
import type { Test } from 'tap';
import type { Color } from '../../src/contract/table.ts';
import { WAIT_MS } from './chromium.ts';

/** One thing that the page has noticed; times in ms since the epoch. */
export interface Seen {
  readonly what: 'event' | 'message' | 'close';
  readonly text: string;
  readonly atMs: number;
}

const PAGE = `<!doctype html>
<title>colors</title>
<p id="event"></p>
<p id="message"></p>
<script>
  window.seen = [];
  const note = (what, text) => {
    window.seen.push({ what, text, atMs: Date.now() });
    const shown = document.getElementById(what);
    if (shown) shown.textContent = text;
  };
  // A browser opens an EventSource again by itself; a WebSocket is opened again by the page.
  new EventSource('/events').onmessage = ({ data }) => note('event', data);
  const connect = () => {
    const scheme = location.protocol === 'https:' ? 'wss://' : 'ws://';
    const socket = new WebSocket(scheme + location.host + '/socket');
    socket.onmessage = ({ data }) => note('message', data);
    socket.onclose = ({ code, wasClean }) => {
      note('close', code + (wasClean ? ' clean' : ' not clean'));
      setTimeout(connect, 50);
    };
  };
  connect();
</script>
`;

/** Resolves when the page shows `color` from both of its connections. */
export async function shows(page: Page, color: string): Promise<void> {
  for (const id of ['event', 'message']) {
    const shown = page.locator(`#${id}`, { hasText: color });
    await shown.waitFor({ state: 'visible', timeout: WAIT_MS });
  }
}

/** Starts the app on a free port; resolves with its address. It ends with the test. */
export async function openBrowserApp(t: Test, color: Color): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(`retry: 50\ndata: ${color}\n\n`);
    } else if (request.url === '/') {
      response.setHeader('content-type', 'text/html').end(PAGE);
    } else {
      response.end(color);
    }
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.send(color);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
