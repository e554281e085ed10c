// Names of fields that are told from all others.

import t from 'tap';
import { parseStrippedName } from '../../../../src/config/values/field-name.ts';
import { CLAIM_NAMES } from '../../../../src/http/grammar/client-claims.ts';
import {
  FIELD,
  FieldNames,
  KNOWN_NAME_BYTES_MAX,
  USUAL_NAMES,
} from '../../../../src/http/grammar/field-kind.ts';

const NAMES: Readonly<Record<string, number>> = {
  Host: FIELD.host,
  'CONTENT-LENGTH': FIELD.contentLength,
  'http2-settings': FIELD.http2Settings,
  te: FIELD.te,
  'x-turnout-hops': FIELD.turnoutHops,
  x_turnout_hops: FIELD.xTurnout,
  'X-Turnout-Hops-': FIELD.xTurnout,
  'x-turnout-': FIELD.other,
  'x-turnout-a': FIELD.xTurnout,
  'x-forwarded-for': FIELD.xForwardedFor,
  'x.forwarded.for': FIELD.lookalike,
  'x-forwarded-fo': FIELD.claim,
  'x-forwarded_fo': FIELD.lookalike,
  'x-real-ip': FIELD.claim,
  proxy: FIELD.claim,
  hosT: FIELD.host,
  hos: FIELD.other,
  content_length: FIELD.other,
  cookies: FIELD.other,
};

function kindOf(names: FieldNames, name: string): number {
  const bytes = Buffer.from(`: ${name}: `, 'latin1');
  return names.kindOf(bytes, 2, 2 + name.length);
}

await t.test('a name has one kind, whatever its case', async (t) => {
  for (const [name, kind] of Object.entries(NAMES)) t.equal(kindOf(USUAL_NAMES, name), kind, name);
});

await t.test('a byte outside of ASCII is like no letter', async (t) => {
  for (const name of ['h\xefst', '\xe8ost', 'cook\xc9e']) {
    t.equal(kindOf(USUAL_NAMES, name), FIELD.other);
  }
});

await t.test('the longest name that is looked up, and one that is longer', async (t) => {
  const longest = `y${'-a'.repeat((KNOWN_NAME_BYTES_MAX - 1) / 2)}`;
  t.equal(longest.length, KNOWN_NAME_BYTES_MAX);
  t.ok(parseStrippedName(longest).ok);
  t.notOk(parseStrippedName(`${longest}aa`).ok);
  const names = new FieldNames([longest, 'zzz*']);
  t.equal(kindOf(names, longest), FIELD.claim);
  t.equal(kindOf(names, longest.slice(0, -1)), FIELD.other);
  t.equal(kindOf(names, `${longest}a`), FIELD.other);
  t.equal(kindOf(names, `zzz${'z'.repeat(5_000)}`), FIELD.claim, 'a begin has no length');
});

await t.test('a look-up reads no further than a few names', async (t) => {
  // Each name is compared up to its first byte that differs, so reads say how many there were.
  const all = [...CLAIM_NAMES, ...Object.keys(NAMES), 'user-agent', 'accept-language', 'x-y'];
  for (const name of all) {
    const bytes = Buffer.from(name, 'latin1');
    let readCount = 0;
    const counted = new Proxy(bytes, {
      get(target, key) {
        readCount++;
        return Reflect.get(target, key) as unknown;
      },
    });
    USUAL_NAMES.kindOf(counted, 0, bytes.length);
    t.ok(readCount <= 5 * name.length + 5, `${name}: ${readCount} reads`);
  }
});

/** Names that do not follow from the words of their kind. */
const SPELLED: Readonly<Record<string, string>> = {
  http2Settings: 'http2-settings',
  deploymentId: 'x-deployment-id',
  requestId: 'x-request-id',
  turnoutHops: 'x-turnout-hops',
  xTurnout: 'x-turnout-hops',
};

/** These are read only to keep connections apart, so an operator may want them away. */
const LOGINS: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'www-authenticate',
  'proxy-authenticate',
]);

await t.test('a name that Turnout reads itself is no name to strip', async (t) => {
  const read = Object.entries(FIELD).filter(
    ([key]) => !['other', 'lookalike', 'claim', 'replaced'].includes(key),
  );
  for (const [key] of read) {
    const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const known = SPELLED[key] ?? name;
    t.equal(parseStrippedName(known).ok, LOGINS.has(known), known);
    t.not(kindOf(USUAL_NAMES, known), FIELD.other, known);
  }
  for (const name of ['X-Auth-User', 'x-auth-*', 'authorization']) t.ok(parseStrippedName(name).ok);
  for (const name of LOGINS) t.equal(kindOf(new FieldNames([name]), name), FIELD.claim);
  for (const name of ['', '*', 'x*', 'a b', 'a:b', 'x-*-y', 7]) t.notOk(parseStrippedName(name).ok);
});
