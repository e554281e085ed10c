// What `turnout apply` reads: the declaration, and every fault of it at once with its line.

import * as fc from 'fast-check';
import t from 'tap';
import { readDeclaration } from '../../../src/config/declaration.ts';
import { printFault } from '../../../src/config/fault.ts';

function faultsOf(text: string): string[] {
  const read = readDeclaration('f.yaml', text);
  return read.ok ? [] : read.faults.map(printFault);
}

await t.test('one service needs no list, and what is left out is left alone', async (t) => {
  const text = 'active: green\ngreen: { release: v2, targets: [HTTP://LOCALHOST:80/] }\n';
  t.strictSame(readDeclaration('f.yaml', text), {
    ok: true,
    services: [
      {
        name: undefined,
        active: 'green',
        blue: undefined,
        green: { release: 'v2', urls: ['http://localhost'] },
      },
    ],
  });
});

await t.test('several stand in a list, and JSON is YAML', async (t) => {
  const services = [
    { name: 'shop', active: 'blue', plan: 'all-at-once' },
    { name: 'api', blue: { release: 'a', targets: ['unix:/run/a.sock'] } },
  ];
  const read = readDeclaration('f.json', JSON.stringify({ services }));
  t.match(read, {
    ok: true,
    services: [
      { name: 'shop', active: 'blue' },
      { name: 'api', blue: { urls: ['unix:/run/a.sock'] } },
    ],
  });
});

function side(schema: string): string {
  return `blue: { release: v1, targets: [http://a:1], schema: { ${schema} } }`;
}

await t.test('a release says its schema as in the configuration', async (t) => {
  for (const [text, schema] of [
    ['provides: 12, requires: 10..12', { provides: 12, requires: [10, 12] }],
    ['provides: 12', { provides: 12, requires: [12, 12] }],
  ] as const) {
    t.match(readDeclaration('f.yaml', side(text)), { services: [{ blue: { schema } }] });
  }
  t.match(faultsOf(side('requires: 12')), [/blue\.schema\.requires: expected provides beside/]);
  t.match(faultsOf('active: blue\nblue: { schema: { provides: 1 } }'), [
    /blue: expected targets beside the schema/,
  ]);
});

/** `[text, faults]` */
const REFUSED: readonly (readonly [string, readonly (string | RegExp)[]])[] = [
  ['', [/^f\.yaml:1:1: expected active, blue or green, got none/]],
  ['- a', ['f.yaml:1:1: expected a mapping, got a list']],
  ['active: [', [/^f\.yaml:1:\d+: not valid YAML/]],
  ['active: red', ['f.yaml:1:9: active: expected one of blue, green, got "red"']],
  ['activ: blue', [/^f\.yaml:1:1: activ: unknown setting: did you mean active\?/]],
  ['services: []', ['f.yaml:1:11: services: expected at least 1 of them, got none']],
  ['active: blue\nplan: canary', [/^f\.yaml:2:7: plan: expected one of all-at-once, got "canary"/]],
  [
    'active: blue\nblue: { release: v1 }\ngreen: { targets: [http://a:1] }',
    [
      'f.yaml:2:7: blue: expected targets beside the release, got none',
      'f.yaml:3:8: green: expected a release beside the targets, got none',
    ],
  ],
  [
    'blue: { release: v1, targets: [http://a:1, http://a:1/] }',
    ['f.yaml:1:44: blue.targets[1]: expected each target once, got http://a:1 twice'],
  ],
  [
    'blue: { release: v1, targets: [http://a:1] }\ngreen: { release: v2, targets: [http://a:1] }',
    ['f.yaml:2:32: green.targets: http://a:1 is declared for blue, too'],
  ],
  [
    'services:\n  - { active: blue }\n  - { name: a, active: blue }\n  - { name: a, active: x }',
    [/^f\.yaml:4:24: services\[2\]\.active/],
  ],
  [
    'services:\n  - { active: blue }\n  - { name: a, active: blue }\n  - { name: a, active: blue }',
    [
      'f.yaml:2:5: services[0]: expected a name, since there are several',
      'f.yaml:4:13: services[2].name: expected each service once, got a twice',
    ],
  ],
  [
    'services:\n  - { nam: a, active: blue }',
    [/services\[0\]\.nam: unknown setting: did you mean/],
  ],
  ['blue: { release: v1, targets: [ftp://a:1] }', [/blue\.targets\[0\]: expected http\(s\):\/\//]],
];

await t.test('each fault is told with its line, all at once', async (t) => {
  for (const [text, expected] of REFUSED) {
    const faults = faultsOf(text);
    t.equal(faults.length, expected.length, `${text}\n${faults.join('\n')}`);
    for (const [index, fault] of expected.entries()) t.match(faults[index], fault);
  }
});

await t.test('whatever the text is, it is read or refused with a place', async () => {
  const names = 'active blue green services name release targets plan v1 http://a:1'.split(' ');
  const signs = [': ', '- ', '{', '}', '[', ']', ', ', '\n', '  ', '&a ', '*a', '"', '#'];
  const words = fc.constantFrom(...names, ...signs);
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(words, { maxLength: 40 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const read = readDeclaration('f.yaml', text);
      if (read.ok) return read.services.length > 0;
      return read.faults.length > 0 && read.faults.every(({ where }) => where.kind === 'file');
    }),
    { numRuns: 2_000 },
  );
});
