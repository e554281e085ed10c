// Own cookies are told from all others by their names, and by nothing that another proxy could have.

import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { OwnCookies } from '../../../../src/http/forward/own-cookies.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';

/** A token as it is today has six parts; earlier ones had five, those of a preview have three. */
const TOKEN = '1.a.aaaaaaaaaaaa.a.b.s';
const FORMER_TOKEN = '1b.aaaaaaaaaaaa.a.b.s';

const SHOP = {
  prefix: 'turnout-edge',
  names: ['sid', 'sid-preview'],
  formerNames: ['turnout', 'turnout-preview', 'turnout-shop', 'turnout-shop-preview'],
};

function isOwn(own: OwnCookies, name: string, value = FORMER_TOKEN): boolean {
  // Both borders look like more of the name, or of the value.
  const bytes = Buffer.from(`x${name}=${value}.`, 'latin1');
  const end = 1 + name.length;
  return own.has(bytes, 1, end, end + 1, end + 1 + value.length);
}

const own = new OwnCookies(SHOP);

for (const prefix of ['', '__Host-', '__Secure-']) {
  await t.test(`cookies of the instance are own, as ${prefix}NAME`, async (t) => {
    for (const name of [
      'turnout-edge',
      'turnout-edge-shop',
      'turnout-edge-preview',
      'turnout-edge-shop-preview',
      'turnout-edge-',
      'turnout-edge-removed-from-the-file',
    ]) {
      t.equal(isOwn(own, prefix + name), true, name);
      t.equal(isOwn(own, prefix + name, TOKEN), true, name);
    }
  });

  await t.test(`names that are set are own, as ${prefix}NAME`, async (t) => {
    for (const name of SHOP.names) {
      t.equal(isOwn(own, prefix + name), true, name);
      t.equal(isOwn(own, prefix + name, TOKEN), true, name);
    }
  });

  await t.test(`former names are own unless a token of today is in them: ${prefix}`, async (t) => {
    for (const name of SHOP.formerNames) {
      t.equal(isOwn(own, prefix + name), true, name);
      t.equal(isOwn(own, prefix + name, 'green.x.s'), true, name);
      t.equal(isOwn(own, prefix + name, 'anything'), true, name);
      t.equal(isOwn(own, prefix + name, ''), true, name);
      t.equal(isOwn(own, prefix + name, TOKEN), false, name);
    }
  });

  await t.test(`cookies of others are not own, as ${prefix}NAME`, async (t) => {
    for (const name of [
      'turnout-inner',
      'turnout-inner-shop',
      'turnout-edge2',
      'turnout-edge_eu',
      'turnout-edg',
      'turnout-blog',
      'turnout2',
      'turnoutedge',
      'Turnout',
      'TURNOUT-EDGE',
      'sid2',
      'si',
      'SID',
      'xsid',
      'preview',
      '',
      '-',
    ]) {
      t.equal(isOwn(own, prefix + name), false, name);
    }
  });
}

await t.test('one browser prefix is looked behind, in its own spelling', async (t) => {
  for (const prefix of ['__Host-__Host-', '__host-', '__HOST-', '_Host-', '__Http-', 'Host-']) {
    t.equal(isOwn(own, `${prefix}sid`), false, prefix);
    t.equal(isOwn(own, `${prefix}turnout-edge`), false, prefix);
  }
});

await t.test('a name that is set stays own when it is a former one too', async (t) => {
  const both = new OwnCookies({ ...SHOP, names: ['turnout-shop'] });
  t.equal(isOwn(both, 'turnout-shop', TOKEN), true);
  t.equal(isOwn(both, 'turnout', TOKEN), false);
});

await t.test('without any name the prefix alone counts', async (t) => {
  const bare = new OwnCookies({ prefix: 'p', names: [], formerNames: [] });
  t.strictSame(
    ['p', 'p-', 'p-x', 'px', '', 'turnout'].map((name) => isOwn(bare, name)),
    [true, true, true, false, false, false],
  );
});

/** The same rule, written plainly. */
function plainly(
  { prefix, names, formerNames }: typeof SHOP,
  cookie: { readonly name: string; readonly value: string },
): boolean {
  const name = cookie.name.replace(/^(?:__Host-|__Secure-)/, '');
  if (name === prefix || name.startsWith(`${prefix}-`) || names.includes(name)) return true;
  return formerNames.includes(name) && cookie.value.split('.').length !== 6;
}

const PIECE = fc.constantFrom(
  ...'turnout turnout- edge edge- shop sid -preview __Host- a -'.split(' '),
);
const NAME = fc.oneof(
  fc.array(PIECE, { maxLength: 4 }).map((pieces) => pieces.join('')),
  fc.string({ maxLength: 12 }),
);
const NAMES = fc
  .uniqueArray(NAME, { maxLength: 20 })
  .map((names) => names.filter((name) => name !== ''));
const VALUE = fc.oneof(fc.constantFrom(TOKEN, FORMER_TOKEN, ''), fc.string());

await t.test('whatever the names are, what is own is what the plain rule says', async () => {
  let ownCount = 0;
  fc.assert(
    fc.property(
      fc.record({
        prefix: fc.constantFrom('turnout-edge', 'turnout-a', 'turnout-0123456789abcdef'),
        names: NAMES,
        formerNames: NAMES,
      }),
      NAME,
      fc.nat(),
      VALUE,
      (names, other, pick, value) => {
        const known = [...names.names, ...names.formerNames];
        const cookies = new OwnCookies(names);
        for (const name of [other, known[pick % (known.length || 1)] ?? 'turnout-edge-x']) {
          const expected = plainly(names, { name, value });
          if (expected) ownCount++;
          assert.equal(isOwn(cookies, name, value), expected, name);
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert.ok(ownCount > RUNS / 4, `${ownCount} of them were own`);
});

await t.test('every name of very many services is found', async (t) => {
  const names = Array.from({ length: 512 }, (_, index) => `cookie-of-${index}`);
  const many = new OwnCookies({ prefix: 'turnout-edge', names, formerNames: [] });
  t.strictSame(
    names.filter((name) => !isOwn(many, name)),
    [],
  );
  t.strictSame(
    names.filter((name) => isOwn(many, `${name}x`) || isOwn(many, `x${name}`)),
    [],
  );
});
