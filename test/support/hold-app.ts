// Targets that note in one journal, by one clock, when everything they do begins and ends: so that
// a test can tell whether two colors ever worked at the same time. What goes on until it is closed
// is noted event by event, because a target hears of a close only when it gets round to it.
//
//   GET /take/MS    is answered after MS milliseconds
//   GET /held       begins at once, ends when the test says so
//   GET /events     an event stream that never ends by itself
//   GET /events/MS  the same, but its head takes MS milliseconds
//   GET /fields     COLOR and the fields that came, one a line
//   upgrade         a WebSocket that echoes
//   any other       COLOR METHOD PATH BYTES CHECKSUM, of what was received

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { crc32 } from 'node:zlib';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';
import type { Color } from '../../src/contract/table.ts';
import { serve } from './serving.ts';

const EVENT_EVERY_MS = 20;

export interface Activity {
  readonly color: Color;
  readonly method: string;
  readonly path: string;
  readonly startMs: number;
  /** Undefined while it goes on. */
  endMs: number | undefined;
}

/** What all apps of a test did, in the order in which it began. Health checks are left out. */
export class Journal {
  readonly activities: Activity[] = [];
  readonly #arrivals = new EventTarget();

  begin(color: Color, { method = '', url = '' }: IncomingMessage): Activity {
    const startMs = performance.now();
    const activity: Activity = { color, method, path: url, startMs, endMs: undefined };
    this.activities.push(activity);
    this.#arrivals.dispatchEvent(new Event('arrival'));
    return activity;
  }

  /** One event or message of something that goes on until it is closed. */
  moment(color: Color, request: IncomingMessage): void {
    const activity = this.begin(color, request);
    activity.endMs = activity.startMs;
  }

  /** Resolves when `count` requests for `path` have come in. */
  async arrived(path: string, count: number): Promise<void> {
    while (this.at(path).length < count) await once(this.#arrivals, 'arrival');
  }

  /** Returns what was done for `path`. */
  at(path: string): Activity[] {
    return this.activities.filter((one) => one.path === path);
  }

  /** Returns each color that did something, in order, once for each time its turn came. */
  turns(): Color[] {
    return this.activities
      .map(({ color }) => color)
      .filter((color, index, all) => color !== all[index - 1]);
  }

  /** Returns the pairs of activities of two colors that went on at the same time. */
  overlaps(): string[] {
    const found: string[] = [];
    const lastEnd = { blue: 0, green: 0 };
    const last: Partial<Record<Color, Activity>> = {};
    for (const activity of this.activities) {
      const other = activity.color === 'blue' ? 'green' : 'blue';
      if (lastEnd[other] > activity.startMs) {
        found.push(`${describe(activity)} while ${describe(last[other]!)}`);
      }
      const endMs = activity.endMs ?? Infinity;
      if (endMs < lastEnd[activity.color]) continue;
      lastEnd[activity.color] = endMs;
      last[activity.color] = activity;
    }
    return found;
  }
}

function describe({ color, method, path, startMs, endMs }: Activity): string {
  return `${color} ${method} ${path} from ${startMs.toFixed(2)} to ${endMs?.toFixed(2) ?? 'now'}`;
}

export interface JournalApp {
  readonly url: string;
  /** Ends all answers of `/held`. */
  release(): void;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

/** Starts an app on a free port; it closes with the test. */
export async function openJournalApp(t: Test, color: Color, journal: Journal): Promise<JournalApp> {
  const held = new Set<() => void>();
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/healthz') === true) {
      response.end('ok');
      return;
    }
    const activity = journal.begin(color, request);
    const end = (content?: string): void => {
      activity.endMs = performance.now();
      response.end(content);
    };
    response.once('close', () => (activity.endMs ??= performance.now()));
    if (activity.path === '/held') {
      held.add(end);
      response.write(color);
    } else if (activity.path === '/fields') {
      end([color, ...fieldLines(request)].join('\n'));
    } else if (activity.path.startsWith('/events')) {
      after(activity.path, () => {
        activity.endMs = performance.now();
        sendEvents(response, () => journal.moment(color, request));
      });
    } else {
      // A client that has gone is the business of the test, which sees it at its own end.
      receipt(color, request).then(
        (content) => after(activity.path, () => end(content)),
        () => response.destroy(),
      );
    }
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => {
    journal.moment(color, request);
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      journal.moment(color, request);
      socket.send(`${color} ${(data as Buffer).toString()}`);
    });
  });
  const { port, close } = await serve(t, server, sockets);
  return {
    url: `http://127.0.0.1:${port}`,
    release() {
      for (const end of held) end();
      held.clear();
    },
    close,
  };
}

function fieldLines({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : [],
  );
}

async function receipt(color: Color, request: IncomingMessage): Promise<string> {
  const { method = '', url = '' } = request;
  let byteCount = 0;
  let checksum = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    byteCount += bytes.length;
    checksum = crc32(bytes, checksum);
  }
  return receiptOf(color, method, url, { byteCount, checksum });
}

/** Returns what an app of `color` answers. */
export function receiptOf(
  color: Color,
  method: string,
  path: string,
  { byteCount, checksum } = { byteCount: 0, checksum: 0 },
): string {
  return `${color} ${method} ${path} ${byteCount} ${checksum}`;
}

function sendEvents(response: ServerResponse, note: () => void): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let count = 0;
  const timer = setInterval(() => {
    note();
    response.write(`data: ${++count}\n\n`);
  }, EVENT_EVERY_MS);
  response.once('close', () => {
    clearInterval(timer);
  });
}

/** Runs `run` now, or later where the path says so. */
function after(path: string, run: () => void): void {
  const ms = /^\/(?:take|events)\/(\d+)/.exec(path)?.[1];
  if (ms === undefined) run();
  else setTimeout(run, Number(ms));
}
