// Signatures: made with one key, believed from several.

import * as fc from 'fast-check';
import t from 'tap';
import { KEY_BYTES, SIGNATURE_CHARS, Signer } from '../../../src/contract/signing.ts';

const FIRST = new Uint8Array(KEY_BYTES).fill(1);
const SECOND = new Uint8Array(KEY_BYTES).fill(2);

const BYTE = fc.nat(255).map((code) => String.fromCharCode(code));

const before = new Signer({ signing: FIRST, accepted: [FIRST] });
const between = new Signer({ signing: SECOND, accepted: [FIRST, SECOND] });
const after = new Signer({ signing: SECOND, accepted: [SECOND] });

await t.test('a signature is the begin of HMAC-SHA256 in base64url', async (t) => {
  // RFC 4231 §4.7: a key that is longer than the block.
  const key = new Uint8Array(131).fill(0xaa);
  const text = 'Test Using Larger Than Block-Size Key - Hash Key First';
  const digest = '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54';
  const signature = new Signer({ signing: key, accepted: [] }).sign(text);
  t.equal(signature, Buffer.from(digest, 'hex').toString('base64url').slice(0, SIGNATURE_CHARS));
});

await t.test('a signature is believed for its text alone', async () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, other) => {
      const signature = before.sign(text);
      const isOther = other !== text;
      return before.isSigned(text, signature) && !(isOther && before.isSigned(other, signature));
    }),
  );
});

await t.test('a new key comes into use without a signature being lost', async (t) => {
  const old = before.sign('x');
  t.equal(between.isSigned('x', old), true, 'the previous key still counts');
  t.equal(between.sign('x'), after.sign('x'), 'the new key signs');
  t.equal(after.isSigned('x', between.sign('x')), true);
  t.equal(after.isSigned('x', old), false, 'the previous key is given up');
  t.equal(before.isSigned('x', after.sign('x')), false);
});

await t.test('a key that only signs is not believed', async (t) => {
  const signer = new Signer({ signing: SECOND, accepted: [FIRST] });
  t.equal(signer.isSigned('x', signer.sign('x')), false);
});

await t.test('every character of a signature counts', async (t) => {
  const signature = before.sign('x');
  t.equal(signature.length, SIGNATURE_CHARS);
  for (let at = 0; at < SIGNATURE_CHARS; at++) {
    const changed = signature[at] === 'A' ? 'B' : 'A';
    const claimed = signature.slice(0, at) + changed + signature.slice(at + 1);
    t.equal(before.isSigned('x', claimed), false, claimed);
  }
});

await t.test('a claim of another length, or of any bytes, is false and no error', async () => {
  const signature = before.sign('x');
  const claims = fc.oneof(
    fc.string({ unit: BYTE }),
    fc.string({ unit: BYTE, minLength: SIGNATURE_CHARS, maxLength: SIGNATURE_CHARS }),
    fc.nat(SIGNATURE_CHARS - 1).map((length) => signature.slice(0, length)),
    fc.string({ minLength: 1 }).map((more) => signature + more),
  );
  fc.assert(fc.property(claims, (claimed) => !before.isSigned('x', claimed)));
});
