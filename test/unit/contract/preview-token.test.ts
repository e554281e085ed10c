// The token that opens the idle color: for one service, color and release, until its time.

import * as fc from 'fast-check';
import t from 'tap';
import {
  opensPreview,
  previewToken,
  type PreviewScope,
} from '../../../src/contract/preview-token.ts';
import { KEY_BYTES, Signer } from '../../../src/contract/signing.ts';

const KEY = new Uint8Array(KEY_BYTES).fill(1);
const OTHER_KEY = new Uint8Array(KEY_BYTES).fill(2);
const signer = new Signer({ signing: KEY, accepted: [KEY] });

const SCOPE: PreviewScope = { service: 'shop', color: 'green', release: 'r2' };
const NOW_S = 1_700_000_000;
const EXPIRES_S = NOW_S + 600;
const TOKEN = previewToken(signer, SCOPE, EXPIRES_S);

function opens(token: string, scope: Partial<PreviewScope> = {}, nowS = NOW_S): boolean {
  return opensPreview(signer, token, { ...SCOPE, ...scope }, nowS);
}

await t.test('a token opens what it was made for', async (t) => {
  t.equal(opens(TOKEN), true);
  const blank = { service: 'shop', color: 'blue', release: '' } as const;
  t.equal(opens(previewToken(signer, blank, EXPIRES_S), blank), true, 'a release without a name');
});

await t.test('a token opens no other service, color or release', async (t) => {
  t.equal(opens(TOKEN, { service: 'shop2' }), false);
  t.equal(opens(TOKEN, { color: 'blue' }), false);
  t.equal(opens(TOKEN, { release: 'r3' }), false);
  t.equal(opens(TOKEN, { release: '' }), false);
  t.equal(opens(TOKEN.replace('green', 'blue'), { color: 'blue' }), false);
});

await t.test('a token means nothing from its last second on', async (t) => {
  t.equal(opens(TOKEN, {}, EXPIRES_S - 1), true);
  t.equal(opens(TOKEN, {}, EXPIRES_S), false);
  t.equal(opens(TOKEN, {}, EXPIRES_S + 1), false);
});

await t.test('a token of another key opens nothing, one of the previous key does', async (t) => {
  const accepting = (accepted: readonly Uint8Array[]): boolean =>
    opensPreview(new Signer({ signing: OTHER_KEY, accepted }), TOKEN, SCOPE, NOW_S);
  t.equal(accepting([OTHER_KEY]), false);
  t.equal(accepting([KEY, OTHER_KEY]), true);
});

await t.test('a session token is no preview token', async (t) => {
  const claim = `green.${EXPIRES_S.toString(36)}`;
  const token = `${claim}.${signer.sign(`session\nshop\nr2\n${claim}`)}`;
  t.equal(opens(token), false);
});

await t.test('a token with any byte changed, left out or added opens nothing', async (t) => {
  for (let at = 0; at < TOKEN.length; at++) {
    t.equal(opens(TOKEN.slice(0, at)), false, `cut at ${at}`);
    t.equal(opens(TOKEN.slice(0, at) + TOKEN.slice(at + 1)), false, `without byte ${at}`);
    for (let code = 0; code < 256; code++) {
      const char = String.fromCharCode(code);
      if (char === TOKEN[at]) continue;
      if (opens(TOKEN.slice(0, at) + char + TOKEN.slice(at + 1))) t.fail(`byte ${code} at ${at}`);
    }
  }
  for (const more of ['.', '.x', ' ', '=', 'A']) {
    t.equal(opens(TOKEN + more), false);
    t.equal(opens(more + TOKEN), false);
  }
});

/** Returns a token whose time is written as it stands here, with a signature that fits it. */
function spelled(expires: string): string {
  const claim = `green.${expires}`;
  return `${claim}.${signer.sign(`preview\nshop\nr2\n${claim}`)}`;
}

await t.test('there is one spelling of a time', async (t) => {
  const expires = EXPIRES_S.toString(36);
  t.equal(opens(spelled(expires)), true, 'the signature of this test is right');
  for (const other of [`0${expires}`, `+${expires}`, ` ${expires}`, expires.toUpperCase()]) {
    t.equal(opens(spelled(other)), false, other);
  }
  for (const other of ['', 'NaN', 'Infinity', `-${expires}`, `${expires}_`]) {
    t.equal(opens(spelled(other)), false, other);
  }
});

await t.test('any text either opens the preview or does not, and never throws', async () => {
  const byte = fc.nat(255).map((code) => String.fromCharCode(code));
  const part = fc.oneof(
    fc.constantFrom('green', 'blue', '', EXPIRES_S.toString(36), TOKEN, TOKEN.slice(-22)),
    fc.string({ unit: byte }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const token = parts.join('.');
      return opens(token) === (token === TOKEN);
    }),
    { numRuns: 1_000 },
  );
});
