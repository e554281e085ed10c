// What becomes of a victim over a long time, or by a change of the table: tunnels, event streams, drains,
// holds and copies of requests. Each step waits for what it needs.

import { GOODBYE_MS, PLACE_TO_CLOSE_MS } from '../../../../src/base/limits.ts';
import { clientFrame, OPCODE, serverFrame } from '../../../support/ws-frames.ts';
import { PAIR_MS_MAX } from '../../../../src/data-plane/shadow/shadow-pair.ts';
import { blueDrains, held, LIMIT_MS, shadowed, unchanged } from './fault-tables.ts';
import { get, UPGRADE, type FaultScene, type Scenario } from './fault-scene.ts';

/** More than a worker keeps to itself what differs. */
const TELL_DIFFERENCES_MS = 2_000;
const HALF_FRAME = serverFrame({ opcode: OPCODE.text, payload: 'half a message', isFinal: false });

/** Opens a tunnel and sends a message each way. */
async function openTunnel(scene: FaultScene): Promise<void> {
  scene.victim.send(UPGRADE);
  await scene.hears('101');
  scene.victim.send(clientFrame({ opcode: OPCODE.text, payload: 'hello', isFinal: true }));
  await scene.called('Tunnel.fromClient');
  for (const side of scene.targetSides) side.send(HALF_FRAME);
  await scene.called('Tunnel.fromTarget');
}

export const LONG_SCENARIOS: Readonly<Record<string, Scenario>> = {
  'a tunnel that the client ends': {
    run: async (scene) => {
      await openTunnel(scene);
      scene.victim.end();
      await scene.called('Tunnel.clientEnded');
      for (const side of scene.targetSides) side.end();
      await scene.until('end', () => scene.victim.ending !== undefined);
    },
  },
  'a tunnel that the target ends': {
    run: async (scene) => {
      await openTunnel(scene);
      for (const side of scene.targetSides) side.end();
      await scene.called('Tunnel.targetEnded');
      scene.victim.end();
    },
  },
  'a tunnel that the target breaks off': {
    run: async (scene) => {
      await openTunnel(scene);
      for (const side of scene.targetSides) side.reset();
      await scene.called('Exchange.closeTunnel');
    },
  },
  'a tunnel that a drain ends within a message': {
    run: async (scene) => {
      await openTunnel(scene);
      scene.publish(blueDrains());
      scene.passTime(LIMIT_MS);
      await scene.called('Tunnel.endGently');
      scene.passTime(PLACE_TO_CLOSE_MS);
      scene.passTime(GOODBYE_MS);
      await scene.called('Exchange.closeTunnel');
      scene.publish(unchanged);
    },
  },
  'an event stream that a drain cuts within an event': {
    run: async (scene) => {
      scene.victim.send(get('/events'));
      await scene.hears('half');
      scene.publish(blueDrains());
      scene.passTime(LIMIT_MS);
      await scene.called('EventStreamResponse.endGently');
      scene.passTime(PLACE_TO_CLOSE_MS);
      scene.publish(unchanged);
    },
  },
  'an event stream that a drain ends after an event': {
    run: async (scene) => {
      scene.victim.send(get('/events'));
      await scene.hears('half');
      for (const side of scene.targetSides) side.send('1\r\n\n\r\n');
      await scene.called('Exchange.receiveBody');
      scene.publish(blueDrains());
      scene.passTime(LIMIT_MS);
      await scene.called('Exchange.endStream');
      scene.publish(unchanged);
    },
  },
  'a request that a drain cuts': {
    run: async (scene) => {
      scene.victim.send(get('/half'));
      await scene.hears('half');
      scene.publish(blueDrains());
      scene.passTime(LIMIT_MS);
      scene.passTime(LIMIT_MS);
      scene.passTime(LIMIT_MS);
      await scene.called('Exchange.cutByDrain');
      scene.publish(unchanged);
      for (const side of scene.targetSides) side.reset();
    },
  },
  'a request that is held for as long as any may': {
    run: async (scene) => {
      scene.publish(held);
      scene.victim.send(get('/ok'));
      await scene.called('HeldRequest.wait');
      scene.passTime(60_000);
      await scene.hears('ok');
      scene.publish(unchanged);
    },
  },
  'a request that is held until the hold ends': {
    run: async (scene) => {
      scene.publish(held);
      scene.victim.send(get('/ok'));
      await scene.called('HeldRequest.wait');
      scene.victim.send(get('/ok'));
      await scene.called('HeldRequest.grow');
      scene.publish(unchanged);
      await scene.hears('ok');
    },
  },
  'a request whose client leaves a hold': {
    run: async (scene) => {
      scene.publish(held);
      scene.victim.send(get('/ok'));
      await scene.called('HeldRequest.wait');
      scene.victim.reset();
      await scene.called('HeldRequest.leave');
      scene.publish(unchanged);
    },
  },
  'a copy of a request that is answered in another way': {
    change: shadowed,
    run: async (scene) => {
      scene.victim.send(get('/missing'));
      await scene.hears('no');
      await scene.called('ShadowPair.copyEnded');
      scene.passTime(TELL_DIFFERENCES_MS);
      await scene.called('DifferenceNotes.onDeadline');
    },
  },
  'a copy of a request that takes too long': {
    change: shadowed,
    run: async (scene) => {
      scene.victim.send(get('/silent'));
      await scene.targetGot('/silent');
      await scene.called('ShadowPair.copyEnded');
      scene.passTime(PAIR_MS_MAX);
      await scene.called('ShadowPair.onDeadline');
      for (const side of scene.targetSides) side.send('HTTP/1.1 204 No Content\r\n\r\n');
    },
  },
};
