// Which credentials and challenges log in a connection.

import t from 'tap';
import { namesConnectionLogin } from '../../../../src/http/grammar/connection-login.ts';

function isNamed(value: string): boolean {
  const bytes = Buffer.from(`<${value}>`, 'latin1');
  return namesConnectionLogin(bytes, 1, bytes.length - 1);
}

const YES = [
  'NTLM',
  'ntlm TlRMTVNTUAAB',
  'Negotiate',
  'negotiate YIIB',
  'Nego2',
  'Basic realm="a", NTLM',
  'Basic realm="a",Negotiate,NTLM',
  ' ,, \tNTLM',
  'Bearer realm="x, y", error="z",\tNegotiate abc==',
];

const NO = [
  '',
  ',',
  'NTL',
  'Basic bnRsbQ==',
  'Digest username="ntlm"',
  'Bearer ntlm',
  'xNTLM',
  'Basic , a',
];

await t.test('schemes that log in a connection are found anywhere in a list', (t) => {
  for (const value of YES) t.ok(isNamed(value), value);
  for (const value of NO) t.notOk(isNamed(value), value);
  t.end();
});
