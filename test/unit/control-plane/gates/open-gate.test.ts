// Each kind of gate of the configuration opens the gate of that kind.

import t from 'tap';
import { loadText } from '../../../../src/config/load.ts';
import { openGate } from '../../../../src/control-plane/gates/open-gate.ts';
import { gateContext, gateParts, NEVER } from '../support/gate-scene.ts';

const TEXT = `
services:
- blue: { targets: [http://b:1] }
  rollout:
    gates:
    - { name: a, kind: requests, requests: [{ path: / }] }
    - { name: b, kind: webhook, url: http://127.0.0.1:1/ }
    - { name: c, kind: command, command: [/no/such/program] }
    - { name: d, kind: prometheus, url: http://127.0.0.1:1/, query: up, min: 1 }
    - { name: e, kind: shadow, body: 1KiB, slower: 1s, minimum: 7, ignore: ['<t>*</t>'] }
`;

await t.test('a gate is opened by its kind', async (t) => {
  const machine = { platform: 'linux', cpus: 1, descriptors: Infinity };
  const loaded = loadText('f', TEXT, { environment: {}, flags: {}, machine });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
  const said: string[] = [];
  for (const settings of loaded.config.services[0]!.rollout.gates) {
    if (settings.kind === 'approve') continue;
    const { verdict, detail } = await openGate(settings, gateParts()).ask(gateContext(), NEVER);
    said.push(`${verdict}: ${detail}`);
  }
  t.same(said, [
    'error: there is no target to ask',
    'error: connection refused',
    'error: the program is not there',
    'later: connection refused',
    'later: shadow',
  ]);
});
