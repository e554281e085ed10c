// Every example of docs/gates.md and docs/shadow.md is accepted as it stands, and its code knows a genuine signature.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { printFault } from '../../src/config/fault.ts';
import { loadText } from '../../src/config/load.ts';
import { signatureOf } from '../../src/control-plane/notifications/signed-post.ts';

const PAGE = ['gates', 'shadow']
  .map((page) => readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), 'utf8'))
  .join('');

function blocks(language: string): readonly string[] {
  return [...PAGE.matchAll(/^```(\w+)[^\n]*\n([^]*?)^```$/gm)].flatMap(([, found, text]) =>
    found === language ? [text!] : [],
  );
}

/** Returns `block` as part of a file: a part of `rollout`, or what stands at the top. */
function fileOf(block: string): string {
  const part = parse(block) as Record<string, unknown>;
  const service = { name: 'shop', blue: { targets: ['http://b:1'] } };
  return 'notify' in part
    ? JSON.stringify({ ...part, services: [service] })
    : JSON.stringify({ services: [{ ...service, rollout: part }] });
}

await t.test('the examples have no fault, and there is one for each kind', async (t) => {
  const kinds = new Set<string>();
  const machine = { platform: 'linux', cpus: 1, descriptors: Infinity };
  for (const block of blocks('yaml')) {
    const loaded = loadText('example', fileOf(block), { environment: {}, flags: {}, machine });
    t.same(loaded.ok ? [] : loaded.faults.map(printFault), [], block);
    if (!loaded.ok) continue;
    for (const { kind } of loaded.config.services[0]!.rollout.gates) kinds.add(kind);
  }
  for (const kind of ['requests', 'webhook', 'command', 'prometheus', 'shadow', 'approve']) {
    t.ok(kinds.has(kind), kind);
  }
});

await t.test('the code that checks a signature knows a genuine one', async (t) => {
  const file = join(t.testdir({}), 'check.mjs');
  writeFileSync(file, blocks('js')[0]!);
  const { isGenuine } = (await import(file)) as {
    readonly isGenuine: (signature: string, body: string, secret: string) => boolean;
  };
  const secrets = ['new', 'old'].map((text) => Buffer.from(text));
  const now = signatureOf(secrets, '{"a":1}', Date.now());
  t.ok(isGenuine(now, '{"a":1}', 'new'));
  t.ok(isGenuine(now, '{"a":1}', 'old'));
  t.notOk(isGenuine(now, '{"a":2}', 'new'));
  t.notOk(isGenuine(now, '{"a":1}', 'other'));
  t.notOk(isGenuine(signatureOf(secrets, '{"a":1}', Date.now() - 600_000), '{"a":1}', 'new'));
  t.notOk(isGenuine('v1=', '{"a":1}', 'new'));
});
