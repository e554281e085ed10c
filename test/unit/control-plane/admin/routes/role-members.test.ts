// What callers below the role admin can say at all: every member of every call, by name. None of them is a
// program, and none but targets an address. A member that is new here has to be thought about first.

import t from 'tap';
import { z } from 'zod';
import { ROUTES } from '../../../../../src/control-plane/admin/routes/routes.ts';

/** Words, numbers, names of what is configured or registered. */
const WORDS = [
  ...'active after at bake before close color deployment dryRun evict for force gate gates'.split(
    ' ',
  ),
  ...'gates.reason gates.skip generation grace guard head hold in lasting lease limit lockOut'.split(
    ' ',
  ),
  ...'message metadata methods migrate minutes of on plan ramp reason release restick'.split(' '),
  ...'retryAfter schema schema.provides schema.requires service services since to unlock'.split(
    ' ',
  ),
  ...'steps[].color steps[].deployment steps[].evict steps[].kind steps[].metadata'.split(' '),
  ...'steps[].release steps[].schema steps[].schema.provides steps[].schema.requires'.split(' '),
  ...'steps[].service steps[].to steps[].unlock verify wait steps'.split(' '),
];

/** Where requests of clients go: bound by `targets.allow` and by the limits of a token. */
const ADDRESSES = ['targets', 'steps[].targets'];

/** Objects whose names the caller chooses. */
const OPEN = ['metadata', 'steps[].metadata'];

const Shape = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  additionalProperties: z.unknown().optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  oneOf: z.array(z.unknown()).optional(),
  allOf: z.array(z.unknown()).optional(),
});

interface Found {
  readonly members: Set<string>;
  readonly open: Set<string>;
}

function walk(schema: unknown, at: string, found: Found): void {
  const parsed = Shape.safeParse(schema);
  if (!parsed.success) return;
  const { properties, additionalProperties, items, anyOf, oneOf, allOf } = parsed.data;
  const isObject = properties !== undefined || parsed.data['type'] === 'object';
  if (isObject && additionalProperties !== false) found.open.add(at);
  for (const [name, one] of Object.entries(properties ?? {})) {
    const path = at === '' ? name : `${at}.${name}`;
    found.members.add(path);
    walk(one, path, found);
  }
  walk(items, `${at}[]`, found);
  for (const one of [anyOf, oneOf, allOf].flatMap((some) => some ?? [])) walk(one, at, found);
}

await t.test('calls below the role admin have no member for a program or an address', async (t) => {
  const found: Found = { members: new Set(), open: new Set() };
  for (const { role, query, body } of ROUTES) {
    if (role === 'admin') continue;
    for (const schema of [query, body]) {
      if (schema === undefined) continue;
      walk(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), '', found);
    }
  }
  t.same([...found.members].toSorted(), [...WORDS, ...ADDRESSES].toSorted());
  t.same([...found.open].toSorted(), OPEN, 'all else is refused');
});

await t.test(
  'what reads the configuration, starts a program or gives rights needs admin',
  async (t) => {
    const admin = ROUTES.filter(({ role }) => role === 'admin').map(({ path }) => path);
    t.same([...new Set(admin)].toSorted(), [
      '/v1/reload',
      '/v1/tokens',
      '/v1/tokens/revoke',
      '/v1/upgrade',
    ]);
    for (const { method, role, path } of ROUTES) {
      if (method !== 'GET') t.ok(role === 'switch' || role === 'admin', `${method} ${path}`);
    }
  },
);
