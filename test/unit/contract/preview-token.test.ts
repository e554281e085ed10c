// The token that opens one deployment of one service, in its series, until its time.

import * as fc from 'fast-check';
import t from 'tap';
import {
  claimedDeployment,
  opensPreview,
  previewToken,
  type PreviewScope,
} from '../../../src/contract/preview-token.ts';
import { KEY_BYTES, Signer } from '../../../src/contract/signing.ts';

const KEY = new Uint8Array(KEY_BYTES).fill(1);
const OTHER_KEY = new Uint8Array(KEY_BYTES).fill(2);
const signer = new Signer({ signing: KEY, accepted: [KEY] });

const SCOPE: PreviewScope = { service: 'shop', deployment: 17, previewSeries: 2 };
const NOW_S = 1_700_000_000;
const EXPIRES_S = NOW_S + 600;
const TOKEN = previewToken(signer, SCOPE, EXPIRES_S);

/** Tells whether `token` opens what it claims to open, as a request that brings it is judged. */
function opens(token: string, scope: Partial<PreviewScope> = {}, nowS = NOW_S): boolean {
  const whole = { ...SCOPE, ...scope };
  if (claimedDeployment(token, nowS) !== whole.deployment) return false;
  return opensPreview(signer, token, whole);
}

await t.test('a token opens what it was made for', async (t) => {
  t.equal(opens(TOKEN), true);
  t.equal(claimedDeployment(TOKEN, NOW_S), 17);
  const last = { service: 'shop', deployment: 2 ** 31, previewSeries: 0 };
  t.equal(opens(previewToken(signer, last, EXPIRES_S), last), true, 'however many there were');
});

await t.test('a token opens no other service, deployment or series', async (t) => {
  t.equal(opens(TOKEN, { service: 'shop2' }), false);
  t.equal(opens(TOKEN, { previewSeries: 1 }), false);
  t.equal(opens(TOKEN, { previewSeries: 3 }), false);
  for (const deployment of [0, 1, 16, 18, 170, 36 * 17]) {
    t.equal(opens(TOKEN, { deployment }), false, `deployment ${deployment}`);
    t.equal(opensPreview(signer, TOKEN, { ...SCOPE, deployment }), false, 'whatever was claimed');
    const claiming = TOKEN.replace('h.', `${deployment.toString(36)}.`);
    t.equal(opens(claiming, { deployment }), false, claiming);
  }
});

await t.test('a token means nothing from its last second on', async (t) => {
  t.equal(opens(TOKEN, {}, EXPIRES_S - 1), true);
  t.equal(opens(TOKEN, {}, EXPIRES_S), false);
  t.equal(opens(TOKEN, {}, EXPIRES_S + 1), false);
  t.equal(claimedDeployment(TOKEN, EXPIRES_S), undefined);
});

await t.test('a token without an end opens until its series ends', async (t) => {
  const token = previewToken(signer, SCOPE, 0);
  for (const nowS of [0, NOW_S, EXPIRES_S, Number.MAX_SAFE_INTEGER]) {
    t.equal(opens(token, {}, nowS), true, `at ${nowS}`);
  }
  t.equal(opens(token, { previewSeries: 3 }), false);
  t.equal(opens(TOKEN.replace(`.${EXPIRES_S.toString(36)}.`, '.0.')), false, 'it is signed, too');
});

await t.test('a token of another key opens nothing, one of the previous key does', async (t) => {
  const accepting = (accepted: readonly Uint8Array[]): boolean =>
    opensPreview(new Signer({ signing: OTHER_KEY, accepted }), TOKEN, SCOPE);
  t.equal(accepting([OTHER_KEY]), false);
  t.equal(accepting([KEY, OTHER_KEY]), true);
});

await t.test('a session token is no preview token', async (t) => {
  const claim = `h.${EXPIRES_S.toString(36)}`;
  const token = `${claim}.${signer.sign(`session\nshop\n2\n${claim}`)}`;
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

/** Returns a token whose numbers are written as they stand here, with a signature that fits it. */
function spelled(expires: string, number = 'h'): string {
  const claim = `${number}.${expires}`;
  return `${claim}.${signer.sign(`preview\nshop\n2\n${claim}`)}`;
}

await t.test('there is one spelling of a time and of a deployment', async (t) => {
  const expires = EXPIRES_S.toString(36);
  for (const number of ['0h', '+h', ' h', 'H', 'h_', '']) {
    t.equal(opens(spelled(expires, number)), false, number);
  }
  t.equal(opens(spelled(expires)), true, 'the signature of this test is right');
  for (const other of [`0${expires}`, `+${expires}`, ` ${expires}`, expires.toUpperCase()]) {
    t.equal(opens(spelled(other)), false, other);
  }
  for (const other of ['', 'NaN', 'Infinity', '-0', '00', '-1', `-${expires}`, `${expires}_`]) {
    t.equal(opens(spelled(other)), false, other);
  }
});

await t.test('any text either opens the preview or does not, and never throws', async () => {
  const byte = fc.nat(255).map((code) => String.fromCharCode(code));
  const part = fc.oneof(
    fc.constantFrom('h', 'i', '0', '', EXPIRES_S.toString(36), TOKEN, TOKEN.slice(-22)),
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
