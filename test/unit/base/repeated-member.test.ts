// Members that stand twice in one object, at any depth and however they are written.

import t from 'tap';
import { repeatedMember } from '../../../src/base/repeated-member.ts';

await t.test('a member that stands twice in one object is found', async (t) => {
  for (const [text, name] of [
    ['{"a": 1, "a": 2}', 'a'],
    ['{"a": {"b": [1, {"c": 1, "c": 1}]}}', 'c'],
    ['[{"a": 1}, {"b": 1, "b": null}]', 'b'],
    [String.raw`{"dryRun": true, "dry\u0052un": false}`, 'dryRun'],
    [String.raw`{"a\"": 1, "a\"": 2}`, 'a"'],
    ['{"": 1, "": 2}', ''],
    ['{"__proto__": 1, "__proto__": 2}', '__proto__'],
  ] as const) {
    JSON.parse(text);
    t.equal(repeatedMember(text), name, text);
  }
});

await t.test('what is the same in other objects, or in a text, is no member twice', async (t) => {
  for (const text of [
    '{}',
    '[]',
    '"a"',
    '12',
    '{"a": {"a": {"a": 1}}, "b": {"a": 1}}',
    '[{"a": 1}, {"a": 1}]',
    String.raw`{"a": "\"a\": 1, {\"a\":", "b": "a"}`,
    '{"a": ["a", "a"], "b": "}:{"}',
    '{"constructor": 1, "a\\\\": 2}',
  ]) {
    JSON.parse(text);
    t.equal(repeatedMember(text), undefined, text);
  }
});
