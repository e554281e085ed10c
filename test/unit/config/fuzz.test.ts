// Whatever comes in, the answer is a configuration or faults, never an exception.

import * as fc from 'fast-check';
import t from 'tap';
import { printFault } from '../../../src/config/fault.ts';
import { loadText } from '../../../src/config/load.ts';
import { nearest } from '../../../src/config/values/suggest.ts';
import { allSettings, entrySettings } from '../../../src/config/settings/table/settings-list.ts';

const MACHINE = { platform: 'linux', cpus: 2, descriptors: Infinity };
const SETTINGS = allSettings();

/** Loads, and says whether the answer makes sense. */
function isAnswered(
  text: string,
  overlay: Readonly<Record<string, string>>,
  by: 'flags' | 'environment',
): boolean {
  const none = { flags: {}, environment: {} };
  const loaded = loadText('fuzz', text, { ...none, [by]: overlay, machine: MACHINE });
  if (loaded.ok) return Object.isFrozen(loaded.config);
  return (
    loaded.faults.length > 0 &&
    loaded.faults.every((fault) => !printFault(fault).includes('\n') && fault.message !== '')
  );
}

const keys = fc.constantFrom(
  ...SETTINGS.flatMap(({ path }) => path),
  ...entrySettings(SETTINGS).map(({ name }) => name.split('.').at(-1)!),
  'services',
  'blue',
  'x',
  '__proto__',
  'constructor',
  'toString',
  '<<',
);
const scalars = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom('10s', '1KiB', 'http://h:1', 'unix:/a', '0.0.0.0:1', 'blue', 'a', '/'),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalars,
    fc.dictionary(keys, tie('tree'), { maxKeys: 6 }),
    fc.array(tie('tree'), { maxLength: 4 }),
  ),
}));

await t.test('any text is answered', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) =>
      isAnswered(text, {}, 'flags'),
    ),
  );
  const bits = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '[',
    ']',
    '{',
    '}',
    '&a ',
    '*a',
    '"',
    "'",
    '#',
    '|',
    '? ',
    '!!',
    '---\n',
    '<<',
    ',',
  );
  fc.assert(
    fc.property(fc.array(bits, { maxLength: 60 }), (parts) =>
      isAnswered(parts.join(''), {}, 'flags'),
    ),
    { numRuns: 300 },
  );
  t.pass();
});

await t.test('any data made of our keys is answered', async (t) => {
  fc.assert(
    fc.property(tree, (data) => isAnswered(JSON.stringify(data), {}, 'flags')),
    { numRuns: 300 },
  );
  const root = fc.dictionary(keys, tree, { maxKeys: 6 });
  fc.assert(
    fc.property(root, (data) => isAnswered(JSON.stringify(data), {}, 'flags')),
    { numRuns: 300 },
  );
  t.pass();
});

await t.test('any gates, hooks and notifications are answered', async (t) => {
  const kinds = fc.constantFrom(
    'requests',
    'webhook',
    'command',
    'prometheus',
    'shadow',
    'approve',
  );
  const entry = fc
    .tuple(fc.dictionary(keys, tree, { maxKeys: 6 }), fc.option(kinds))
    .map(([section, kind]) => (kind === null ? section : { ...section, kind }));
  const lists = fc.record({
    gates: fc.array(entry),
    hooks: fc.array(entry),
    notify: fc.array(entry),
  });
  fc.assert(
    fc.property(lists, ({ gates, hooks, notify }) => {
      const services = [{ blue: { targets: ['http://h:1'] }, rollout: { gates, hooks } }];
      return isAnswered(JSON.stringify({ services, notify }), {}, 'flags');
    }),
    { numRuns: 500 },
  );
  t.pass();
});

await t.test('any environment and any flags are answered', async (t) => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), scalars.map(String));
  const variables = fc.dictionary(
    fc.constantFrom(...SETTINGS.map(({ variable }) => variable), 'TURNOUT_X'),
    texts,
  );
  const flags = fc.dictionary(fc.constantFrom(...SETTINGS.map(({ flag }) => flag)), texts);
  fc.assert(
    fc.property(variables, (given) => isAnswered('', given, 'environment')),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(flags, (given) => isAnswered('', given, 'flags')),
    { numRuns: 300 },
  );
  t.pass();
});

await t.test('a word with one slip gets the word that was meant', async (t) => {
  const known = SETTINGS.map(({ variable }) => variable).filter((name) => name !== '');
  fc.assert(
    fc.property(fc.constantFrom(...known), fc.nat(), (word, at) => {
      const cut = 'TURNOUT_'.length + (at % (word.length - 'TURNOUT_'.length));
      return nearest(word.slice(0, cut) + word.slice(cut + 1), known) !== '';
    }),
  );
  t.equal(nearest('headsize', ['headSize', 'headFields']), ': did you mean headSize?');
  t.equal(nearest('something', ['headSize', 'headFields']), '');
  t.equal(nearest('x'.repeat(65), ['x'.repeat(65)]), '', 'long words are not compared');
});
