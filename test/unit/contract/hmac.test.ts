// HMAC of our own makes what Node's makes, for every key and text; RFC 4231 has the examples.

import { createHmac } from 'node:crypto';
import * as fc from 'fast-check';
import t from 'tap';
import { HmacKey } from '../../../src/contract/hmac.ts';

await t.test('the examples of RFC 4231 §4.2 and §4.3 come out', async (t) => {
  const first = new HmacKey(Buffer.alloc(20, 0x0b)).sign('Hi There');
  t.equal(
    Buffer.from(first, 'base64url').toString('hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
  const second = new HmacKey(Buffer.from('Jefe')).sign('what do ya want for nothing?');
  t.equal(
    Buffer.from(second, 'base64url').toString('hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

await t.test('it is what Node makes of any key and texts of any length, in any order', async () => {
  const latin1 = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    maxLength: 600,
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.array(latin1), (bytes, texts) => {
      const key = new HmacKey(bytes);
      return texts.every((text) => {
        const expected = createHmac('sha256', bytes).update(text, 'latin1').digest('base64url');
        return key.sign(text) === expected;
      });
    }),
  );
});
