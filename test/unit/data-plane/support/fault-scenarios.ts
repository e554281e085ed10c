// What a victim does, or has done to it, so that every event of every connection comes up once.
// Each step waits for what it needs, or for the error that the test has let be thrown.

import {
  HANDSHAKE_MS,
  LINGER_MS,
  LOOK_AFTER_MS,
  REST_OF_REQUEST_MS,
} from '../../../../src/base/limits.ts';
import type { RawPeer } from '../../../support/raw-peer.ts';
import { LIMIT_MS, rescuing } from './fault-tables.ts';
import type { Moment } from './method-faults.ts';
import { BIG_BYTES, get, post, type FaultScene, type Scenario } from './fault-scene.ts';
import { LONG_SCENARIOS } from './long-scenarios.ts';

/** Some limit that passes by itself: Node alone knows whether a write makes progress. */
const SOON_MS = 20;
const UPLOAD = 'x'.repeat(BIG_BYTES);
const POST_CHUNKED = 'POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

/** The victim sends `text` and hears `answer`. */
async function asks(scene: FaultScene, text: string, answer: string): Promise<void> {
  scene.victim.send(text);
  await scene.hears(answer);
}

/** Lets another client take the only connection, and the victim wait for it; returns the other. */
async function queueBehind(scene: FaultScene): Promise<RawPeer> {
  const first = await scene.connect();
  first.send(get('/silent'));
  await scene.targetGot('/silent');
  scene.victim.send(get('/ok'));
  await scene.called('RequestSender.queue');
  return first;
}

/** Of what is no event, but breaks on its own: the scenario that reaches it. */
export const MORE_ROWS: readonly (readonly [method: string, moment: Moment, scenario: string])[] = [
  ['ByteStream.accept', 'before', 'requests follow each other'],
  ['ByteStream.accept', 'after', 'requests follow each other'],
  ['ByteStream.connect', 'before', 'requests follow each other'],
  ['ByteStream.connect', 'before', 'a request that gets the place of another'],
];

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'the client does not say where it comes from': {
    hello: 'PROXY UNKNOWN\r\n',
    patch: { listener: { proxyFrom: ['127.0.0.1'] } },
    run: async (scene) => {
      await scene.until('connection', () => scene.plane.plane.tally.connectionsOpen === 2);
      scene.passTime(HANDSHAKE_MS);
      await scene.called('Doorstep.onDeadline');
    },
  },
  'requests follow each other': {
    run: async (scene) => {
      scene.victim.send(get('/ok') + get('/ok'));
      await scene.until('two answers', () => scene.victim.text.split('\r\n\r\nok').length === 3);
    },
  },
  'a request with a cookie': {
    patch: { service: { policy: { affinity: { mode: 'drain' } } } },
    run: (scene) => asks(scene, 'GET /ok HTTP/1.1\r\nHost: a\r\nCookie: turnout=x\r\n\r\n', 'ok'),
  },
  'the client ends when it was answered': {
    run: async (scene) => {
      scene.victim.send(get('/ok'));
      await scene.hears('ok');
      scene.victim.end();
      await scene.called('H1Client.onEnd');
    },
  },
  'the client leaves within a head': {
    run: async (scene) => {
      scene.victim.send('GET / HT');
      await scene.called('H1Client.onData');
      scene.victim.reset();
      await scene.called('H1Client.onClosed');
    },
  },
  'the client leaves within a response': {
    run: async (scene) => {
      scene.victim.send(get('/half'));
      await scene.hears('half');
      scene.victim.reset();
      await scene.called('Exchange.clientGone');
    },
  },
  'the client leaves within a body': {
    run: async (scene) => {
      scene.victim.send(post('/ok', 10, 'abc'));
      await scene.targetGot('abc');
      scene.victim.reset();
      await scene.called('Exchange.clientGone');
    },
  },
  'the client reads late': {
    run: async (scene) => {
      scene.victim.socket.pause();
      scene.victim.send(get('/big'));
      await scene.called('H1Client.onSendLimited');
      scene.victim.socket.resume();
      await scene.until('all of it', () => scene.victim.text.length > BIG_BYTES);
    },
  },
  'the client does not read': {
    patch: { client: { sendIdleTimeoutMs: SOON_MS } },
    run: async (scene) => {
      scene.victim.socket.pause();
      scene.victim.send(get('/big'));
      await scene.called('H1Client.onSendStalled');
      scene.victim.socket.resume();
    },
  },
  'the client sends no HTTP and does not close': {
    run: async (scene) => {
      scene.victim.send('no HTTP\r\n\r\n');
      await scene.called('StreamEnding.linger');
      scene.passTime(LINGER_MS);
      await scene.called('StreamEnding.onDeadline');
    },
  },
  'the client goes on sending no HTTP': {
    run: async (scene) => {
      scene.victim.send(`no HTTP\r\n\r\n`);
      await scene.called('StreamEnding.linger');
      scene.victim.send('x'.repeat(BIG_BYTES));
      await scene.called('StreamEnding.onData');
    },
  },
  'a head does not come in time': {
    patch: { client: { headTimeoutMs: LIMIT_MS } },
    run: async (scene) => {
      scene.victim.send('GET / HT');
      await scene.called('H1Client.onData');
      scene.passTime(LIMIT_MS);
    },
  },
  'a body does not come in time': {
    patch: { client: { bodyIdleTimeoutMs: LIMIT_MS } },
    run: async (scene) => {
      scene.victim.send(post('/ok', 10, 'abc'));
      await scene.targetGot('abc');
      scene.passTime(LIMIT_MS);
    },
  },
  'a body is not one': {
    run: (scene) => asks(scene, `${POST_CHUNKED}no\r\n`, '400'),
  },
  'a target that reads late': {
    run: async (scene) => {
      scene.victim.send(post('/upload', BIG_BYTES));
      await scene.targetGot('/upload');
      for (const { socket } of scene.targetSides) socket.pause();
      scene.victim.send(UPLOAD);
      await scene.called('H1Client.pauseReading');
      for (const { socket } of scene.targetSides) socket.resume();
      await scene.hears('ok');
    },
  },
  'a target that does not read': {
    patch: { upstream: { headTimeoutMs: SOON_MS } },
    run: async (scene) => {
      scene.victim.send(post('/upload', BIG_BYTES));
      await scene.targetGot('/upload');
      for (const { socket } of scene.targetSides) socket.pause();
      scene.victim.send(UPLOAD);
      await scene.called('H1Target.onSilence');
    },
  },
  'a target that answers before the body has come': {
    run: async (scene) => {
      scene.victim.send(post('/answered-early', 10, 'abc'));
      await scene.hears('ok');
      scene.victim.send('defghij');
      await scene.called('Exchange.finish');
    },
  },
  'a target that refuses before a body that never comes': {
    run: async (scene) => {
      scene.victim.send(post('/refused-early', 10, 'abc'));
      await scene.hears('no');
      scene.passTime(REST_OF_REQUEST_MS);
    },
  },
  'a target that answers before a body that is not one': {
    run: async (scene) => {
      scene.victim.send(POST_CHUNKED.replace('/ok', '/answered-early'));
      await scene.hears('ok');
      scene.victim.send('no\r\n');
      await scene.called('Exchange.giveUpRequest');
    },
  },
  'a client that ends its side and waits': {
    run: async (scene) => {
      scene.victim.send(get('/silent'));
      await scene.targetGot('/silent');
      scene.victim.end();
      await scene.called('ClientSocket.onEnd');
      scene.passTime(LOOK_AFTER_MS);
      for (const side of scene.targetSides)
        side.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      await scene.hears('ok');
    },
  },
  'a client that ends its side after us': {
    run: async (scene) => {
      scene.victim.send('no HTTP\r\n\r\n');
      await scene.called('StreamEnding.linger');
      scene.victim.end();
      await scene.called('StreamEnding.onEnd');
    },
  },
  'a target that is silent': {
    patch: { upstream: { headTimeoutMs: LIMIT_MS } },
    run: async (scene) => {
      scene.victim.send(get('/silent'));
      await scene.targetGot('/silent');
      scene.passTime(LIMIT_MS);
    },
  },
  'a target that ends within a response': {
    run: async (scene) => {
      scene.victim.send(get('/half'));
      await scene.hears('half');
      for (const side of scene.targetSides) side.end();
      await scene.called('H1Target.onEnd');
    },
  },
  'a target that resets within a response': {
    run: async (scene) => {
      scene.victim.send(get('/half'));
      await scene.hears('half');
      for (const side of scene.targetSides) side.reset();
      await scene.called('H1Target.onClosed');
    },
  },
  'a target that speaks no HTTP': {
    run: (scene) => asks(scene, get('/garbage'), '502'),
  },
  'a target that breaks its framing': {
    run: (scene) => asks(scene, get('/garbage-later'), '502'),
  },
  'a target that sends hints first': {
    run: (scene) => asks(scene, get('/early'), 'ok'),
  },
  'a target that closes without an answer': {
    run: (scene) => asks(scene, get('/gone'), '502'),
  },
  'a target whose body ends with the connection': {
    run: (scene) => asks(scene, get('/until-close'), 'ok'),
  },
  'a target that does not accept': {
    run: async (scene) => {
      await scene.lead('nowhere');
      scene.victim.send(get('/ok'));
      await scene.called('Exchange.connectFailed');
      await scene.lead('target');
    },
  },
  'a request that waits in vain for a connection': {
    patch: { upstream: { connectionsMax: 1, connectTimeoutMs: LIMIT_MS } },
    run: async (scene) => {
      const first = await queueBehind(scene);
      scene.passTime(LIMIT_MS);
      first.reset();
    },
  },
  'a request that gets the connection of another': {
    patch: { upstream: { connectionsMax: 1 } },
    run: async (scene) => {
      const first = await queueBehind(scene);
      for (const side of scene.targetSides) {
        side.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      }
      await scene.hears('ok');
      first.reset();
    },
  },
  'a request that gets the place of another': {
    patch: { upstream: { connectionsMax: 1 } },
    run: async (scene) => {
      const first = await queueBehind(scene);
      first.reset();
      await scene.hears('ok');
    },
  },
  'a request whose client leaves the queue': {
    patch: { upstream: { connectionsMax: 1 } },
    run: async (scene) => {
      const first = await queueBehind(scene);
      scene.victim.reset();
      await scene.called('EndpointPool.leaveQueue');
      first.reset();
    },
  },
  'a file that the other color has': {
    change: rescuing,
    run: (scene) => asks(scene, get('/missing'), 'ok'),
  },
  ...LONG_SCENARIOS,
};
