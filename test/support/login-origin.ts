// A target that logs in connections, as NTLM does, and clients that log in there: offer, challenge,
// proof. What comes on a connection that is logged in speaks as that user, whichever client sent it.

import { randomUUID } from 'node:crypto';
import { readResponse, valuesOf, type Message } from './message.ts';
import type { OriginConnection, OriginScript } from './origin.ts';
import { connectRaw, type RawPeer } from './raw-peer.ts';

/** Says `hello USER of NAME` to one that is logged in. */
export function loginOrigin(name: string, scheme = 'NTLM'): OriginScript {
  return async (connection) => {
    let user: string | undefined;
    let challenge: string | undefined;
    for (;;) {
      const request = await connection.nextRequest();
      if (request === undefined) break;
      const [credentials = ''] = valuesOf(request.fields, 'authorization');
      const [, step = '', proof = '', who] =
        /^\w+ (begin|prove)(?: (\S+) (\w+))?$/.exec(credentials) ?? [];
      if (step === 'begin') {
        challenge = randomUUID();
        refuse(connection, `${scheme} ${challenge}`);
        continue;
      }
      if (step === 'prove') user = proof === challenge ? who : undefined;
      challenge = undefined;
      if (user === undefined) refuse(connection, scheme);
      else say(connection, `hello ${user} of ${name}`);
    }
    connection.end();
  };
}

function refuse(connection: OriginConnection, challenge: string): void {
  connection.send(
    `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="a, b"\r\n` +
      `WWW-Authenticate: ${challenge}\r\nContent-Length: 0\r\n\r\n`,
  );
}

function say(connection: OriginConnection, text: string): void {
  connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
}

/** One connection of a client, which asks one thing after the other. */
export class LoginClient {
  readonly peer: RawPeer;
  readonly #user: string;
  readonly #scheme: string;
  /** The last answer has announced the end of the connection. */
  isLast = false;
  #at = 0;

  constructor(peer: RawPeer, user: string, scheme = 'NTLM') {
    this.peer = peer;
    this.#user = user;
    this.#scheme = scheme;
  }

  static async open(port: number, user: string): Promise<LoginClient> {
    return new LoginClient(await connectRaw(port), user);
  }

  /** Resolves with the status and the body. */
  async ask(fields = ''): Promise<string> {
    this.send(fields);
    return this.answer();
  }

  /** Begins a login; resolves with the challenge. */
  async begin(): Promise<string> {
    this.send(`Authorization: ${this.#scheme} begin\r\n`);
    const { fields } = await this.#next();
    return valuesOf(fields, 'www-authenticate').at(-1)!.split(' ')[1] ?? '';
  }

  async prove(challenge: string): Promise<string> {
    return this.ask(this.proof(challenge));
  }

  async login(): Promise<string> {
    return this.prove(await this.begin());
  }

  proof(challenge: string): string {
    return `Authorization: ${this.#scheme} prove ${challenge} ${this.#user}\r\n`;
  }

  send(fields: string, method = 'GET'): void {
    this.peer.send(`${method} /mail HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  }

  async answer(): Promise<string> {
    const { start, body } = await this.#next();
    return `${start.split(' ')[1]} ${body}`.trimEnd();
  }

  close(): void {
    this.peer.socket.destroy();
  }

  async #next(): Promise<Message> {
    const response = await this.peer.until('whole response', () => {
      const found = readResponse(this.peer.text, this.#at, { method: 'GET', hasEnded: false });
      return found?.isComplete === true ? found : undefined;
    });
    this.#at = response.end;
    this.isLast = valuesOf(response.fields, 'connection').includes('close');
    return response;
  }
}
