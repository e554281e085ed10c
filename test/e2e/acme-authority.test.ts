// Orders at a real authority, Pebble: both challenges, nonces that it rejects, authorizations that it has
// from before, names that cannot be proven.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { acmeScene, areObtained, firstProblem, isFrom, skip } from './acme-scene.ts';

t.setTimeout(120_000);

for (const challenge of ['http-01', 'tls-alpn-01'] as const) {
  await t.test(`three domains get their certificates by ${challenge}`, { skip }, async (t) => {
    const { pebble, responder, dir, log, begin } = await acmeScene(t);
    const domains = ['shop.test', 'www.shop.test', 'xn--bcher-kva.shop.test'];
    const acme = begin({ domains, challenge });
    await responder.until(areObtained);
    t.same(
      responder.certificates.map(({ domain }) => domain),
      domains,
    );
    for (const one of responder.certificates) t.ok(await isFrom(pebble, one), one.domain);
    t.same(
      [...new Set(responder.visits)].toSorted(),
      domains.map((name) => `${challenge} ${name}`).toSorted(),
    );
    t.same(responder.challenges, [], 'nothing is answered any more');
    t.same(acme.counts, { obtained: 3, failed: 0 });
    t.equal(log.lines.filter(({ level }) => level === 'warn').length, 1, 'that there is none yet');
    t.notMatch(JSON.stringify(log.lines), /PRIVATE KEY/);
    const texts = readdirSync(join(dir, 'acme')).map((name) =>
      readFileSync(join(dir, 'acme', name), 'utf8'),
    );
    t.equal(texts.filter((text) => text.includes('"url"')).length, 1, 'with one account');
  });
}

await t.test(
  'an authority that rejects half of all good nonces is asked until it takes them',
  { skip },
  async (t) => {
    const { responder, begin } = await acmeScene(t, {
      environment: { PEBBLE_WFE_NONCEREJECT: '50' },
    });
    begin();
    await responder.until(areObtained);
    t.equal(responder.certificates.length, 1);
  },
);

await t.test('an authorization from before needs no challenge', { skip }, async (t) => {
  const environment = { PEBBLE_AUTHZREUSE: '100' };
  const { responder, dir, log, begin } = await acmeScene(t, { environment });
  const first = begin();
  await responder.until(areObtained);
  await first.stop();
  const visits = responder.visits.length;
  writeFileSync(join(dir, 'acme', 'www.shop.test.json'), 'damaged');
  await responder.setObtained([]);
  begin();
  await responder.until(areObtained);
  t.equal(responder.visits.length, visits);
  t.ok(log.has(/set aside/), 'the damaged file is told of, and its certificate ordered anew');
});

await t.test(
  'a name that cannot be proven is told with the words of the authority',
  { skip },
  async (t) => {
    const scene = await acmeScene(t);
    const { responder, begin } = scene;
    // Workers say that they answer, and another machine does.
    responder.isAstray = true;
    begin({ domains: ['lost.shop.test'] });
    const problem = await firstProblem(scene);
    t.match(problem, /the authority answered unauthorized \(while it validates the domain\)/);
    t.match(responder.certificates, [{ isSelfSigned: true, domain: 'lost.shop.test' }]);
  },
);
