// A target that gives exact bytes for each path and remembers what it was asked, and on which
// connection: for pages of one release that ask for files of another.

import type { Test } from 'tap';
import type { Color } from '../../src/contract/table.ts';
import { valuesOf } from './message.ts';
import { openOrigin, type OriginConnection } from './origin.ts';

/** Writes one answer; the connection goes on unless it ends it. */
export type Answer = string | ((connection: OriginConnection) => Promise<void> | void);

export interface AskedOf {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly string[];
  /** Counted from 0. */
  readonly connection: number;
}

export interface SkewApp {
  readonly url: string;
  /** In the order in which they came; health checks are left out. */
  readonly asked: readonly AskedOf[];
  /** Returns how often `path` was asked for. */
  count(path: string): number;
  close(): Promise<void>;
}

/** Starts an app with `files` by path; any other path is answered with the color and the target. */
export async function openSkewApp(
  t: Test,
  color: Color,
  files: Readonly<Record<string, Answer>> = {},
): Promise<SkewApp> {
  const asked: AskedOf[] = [];
  let connectionCount = 0;
  const origin = await openOrigin(async (connection) => {
    const number = connectionCount++;
    for (;;) {
      const request = await connection.nextRequest();
      if (request === undefined || connection.ending !== undefined) break;
      const [method = '', target = ''] = request.start.split(' ');
      const path = target.split('?')[0]!;
      if (path !== '/healthz')
        asked.push({ method, path, fields: request.fields, connection: number });
      const answer = files[`${method} ${path}`] ?? files[path] ?? okOf(`${color} ${target}`);
      if (typeof answer !== 'string') await answer(connection);
      else if (method === 'HEAD') connection.send(answer.slice(0, answer.indexOf('\r\n\r\n') + 4));
      else connection.send(answer);
    }
    connection.end();
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await origin.close();
    isOpen = false;
  };
  t.teardown(close);
  return {
    url: `http://127.0.0.1:${origin.port}`,
    asked,
    count: (path) => asked.filter((one) => one.path === path).length,
    close,
  };
}

/** Returns a whole answer. */
export function replyWith(status: string, body: string, ...fields: readonly string[]): string {
  const lines = [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

export function okOf(body: string, ...fields: readonly string[]): string {
  return replyWith('200 OK', body, ...fields);
}

/** Returns what a target was told of itself. */
export function toldOf({ fields }: AskedOf): { readonly color: string; readonly release: string } {
  const value = (name: string): string => valuesOf(fields, name)[0] ?? '';
  return { color: value('x-turnout-color'), release: value('x-turnout-release') };
}
