// Accounts at a real authority, Pebble: forgotten by it, changed by the operator, bound to another account.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acmeScene, areObtained, firstProblem, skip } from './acme-scene.ts';

t.setTimeout(120_000);

await t.test('an authority that forgot the account gets it again', { skip }, async (t) => {
  const { pebble, responder, begin } = await acmeScene(t);
  const first = begin();
  await responder.until(areObtained);
  await first.stop();
  await pebble.restart();
  await responder.setObtained([]);
  const acme = begin({ domains: ['other.shop.test'] });
  await responder.until(areObtained);
  t.same(acme.counts, { obtained: 1, failed: 0 });
});

await t.test('a changed email reaches the authority', { skip }, async (t) => {
  const { responder, dir, begin } = await acmeScene(t);
  const acme = begin();
  await responder.until(areObtained);
  await acme.stop();
  await responder.setObtained([]);
  begin({ email: 'new@shop.test', domains: ['b.shop.test'] });
  await responder.until(areObtained);
  const name = readdirSync(join(dir, 'acme')).find((one) => one.startsWith('account-'));
  t.match(readFileSync(join(dir, 'acme', name!), 'utf8'), /"email": "new@shop.test"/);
});

const HMAC_KEY = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';

await t.test('an account is bound to one that the operator has there', { skip }, async (t) => {
  const scene = await acmeScene(t, { bindings: { 'kid-1': HMAC_KEY } });
  const { responder, dir, begin } = scene;
  const plain = begin();
  t.match(await firstProblem(scene), /externalAccountRequired \(while registering the account\)/);
  await plain.stop();
  const hmacKeyFile = join(dir, 'hmac');
  writeFileSync(hmacKeyFile, `${HMAC_KEY}\n`, { mode: 0o600 });
  begin({ domains: ['b.shop.test'], externalAccount: { keyId: 'kid-1', hmacKeyFile } });
  await responder.until(areObtained);
  t.equal(responder.certificates.length, 1);
});
