// One environment of a shop: logins and carts live in its memory and nowhere else, so a user
// that is sent to another environment is a stranger there.
//
//   POST /login?user=NAME   a new sid, an empty cart     GET /cart               the cart of the sid
//   GET /healthz            always well                  POST /cart?item=NAME    puts it in

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** What every answer of a shop says. */
export interface ShopAnswer {
  /** Random id of the environment: no two runs of a shop have the same. */
  readonly shop: string;
  /** As the request said. */
  readonly color: string;
  readonly release: string;
  /** Names of the cookies that reached the shop. */
  readonly cookies: readonly string[];
  /** Whose cart it is; empty for a stranger. */
  readonly user: string;
  readonly items: readonly string[];
}

interface Visitor {
  readonly user: string;
  readonly items: string[];
}

/** Returns the server of a new environment, which does not listen yet. */
export function shopServer(): Server {
  const shop = randomUUID();
  const visitors = new Map<string, Visitor>();
  return createServer((request, response) => {
    // Only the head counts, but a body must not stay on the connection.
    request.resume();
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://shop');
    if (pathname === '/healthz') {
      response.end();
      return;
    }
    const cookies = cookiesOf(request);
    const place = {
      shop,
      color: String(request.headers['x-turnout-color']),
      release: String(request.headers['x-turnout-release']),
      cookies: [...cookies.keys()],
    };
    if (request.method === 'POST' && pathname === '/login') {
      const sid = randomUUID();
      const visitor = { user: searchParams.get('user') ?? '', items: [] };
      visitors.set(sid, visitor);
      response.setHeader('set-cookie', `sid=${sid}; Path=/; HttpOnly`);
      say(response, 200, { ...place, ...visitor });
      return;
    }
    const visitor = visitors.get(cookies.get('sid') ?? '');
    if (visitor === undefined) {
      say(response, 401, { ...place, user: '', items: [], problem: 'who are you?' });
      return;
    }
    if (request.method === 'POST') visitor.items.push(searchParams.get('item') ?? '');
    say(response, 200, { ...place, ...visitor });
  });
}

function say(
  response: ServerResponse,
  status: number,
  answer: ShopAnswer & { readonly problem?: string },
): void {
  const text = JSON.stringify(answer);
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

function cookiesOf({ headers }: IncomingMessage): Map<string, string> {
  const pairs = (headers.cookie ?? '').split('; ').filter((pair) => pair !== '');
  return new Map(pairs.map((pair) => [pair.split('=', 1)[0]!, pair.slice(pair.indexOf('=') + 1)]));
}
