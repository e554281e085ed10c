import { createHash } from 'node:crypto';
import t from 'tap';
import {
  breakAtEnds,
  follow,
  GENESIS,
  nextRow,
  parseRow,
  type AuditRow,
  type Break,
  type Link,
  wayFrom,
} from '../../../../src/control-plane/store/audit-chain.ts';
import {
  TRIM_ACTION,
  trimDraft,
  type Trim,
} from '../../../../src/control-plane/store/audit-trim.ts';
import { draft } from '../support/notes.ts';

/** Returns a chain of `count` entries that differ. */
function chain(count: number, anchor: Link = GENESIS): AuditRow[] {
  const rows: AuditRow[] = [];
  let last = anchor;
  for (let index = 0; index < count; index++) {
    const service = index % 2 === 0 ? 'shop' : 'ü "quoted"';
    last = nextRow(last, draft({ atMs: index, service, reason: `line\n${index}` }));
    rows.push(last as AuditRow);
  }
  return rows;
}

/** Returns what is wrong with `rows` between `anchor` and `head`. */
function check(rows: readonly AuditRow[], head: Link, anchor = GENESIS): Break | undefined {
  const end = follow(wayFrom(anchor), rows, BOUNDS);
  return 'fault' in end ? end : breakAtEnds(end, { anchor, head });
}

/** Entries are trimmed by twos, and two stay. */
const BOUNDS = { rowsKept: 2, trimRows: 2 };

/** Returns the entry behind `rows` that tells of a trim. */
function trimRow(rows: readonly AuditRow[], trim: Trim): AuditRow {
  return nextRow(rows.at(-1)!, trimDraft(trim, 5));
}

const ROWS = chain(5);
const HEAD = ROWS.at(-1)!;

await t.test('a chain leads from its anchor to its head', async (t) => {
  t.equal(check(ROWS, HEAD), undefined);
  t.equal(check([], GENESIS), undefined, 'an empty one too');
  const [, second] = ROWS;
  const row = trimRow(ROWS, { from: 1, to: 2, count: 2, hash: second!.hash });
  t.equal(check([...ROWS.slice(2), row], row, second), undefined, 'and one that was trimmed');
});

await t.test('a chain begins where an entry of it says that it was trimmed', async (t) => {
  const [first, second, third] = ROWS;
  const missing = { seq: 2, fault: /up to 2 are missing, and the log tells of no trim/ };
  t.match(check(ROWS.slice(2), HEAD, second), missing, 'no entry says so');
  const row = trimRow(ROWS, { from: 1, to: 2, count: 2, hash: second!.hash });
  t.match(check([...ROWS.slice(1), row], row, first), { seq: 1, fault: /tells of a trim up to 2/ });
  t.match(check([...ROWS.slice(3), row], row, third), { seq: 3, fault: /tells of a trim up to 2/ });
  t.match(check([...ROWS, row], row), { seq: 0 }, 'what was trimmed is back');
});

await t.test('an entry that tells of a trim which was not due is a break', async (t) => {
  const link = ROWS[1]!;
  const trims: readonly (readonly [string, Trim, RegExp])[] = [
    ['too young', { from: 1, to: 4, count: 4, hash: ROWS[3]!.hash }, /up to 4, which was not due/],
    ['too few', { from: 2, to: 2, count: 1, hash: link.hash }, /up to 2, which was not due/],
    ['with gaps', { from: 1, to: 2, count: 1, hash: link.hash }, /the log was broken at 2/],
  ];
  for (const [what, trim, fault] of trims) {
    const row = trimRow(ROWS, trim);
    t.match(check([...ROWS, row], row), { seq: 6, fault }, what);
  }
  const bare = nextRow(HEAD, {
    ...trimDraft({ from: 1, to: 2, count: 2, hash: '' }, 5),
    request: '{',
  });
  t.match(check([...ROWS, bare], bare), { seq: 6, fault: /but not of which/ });
  const named = nextRow(HEAD, draft({ action: TRIM_ACTION }));
  t.equal(check([...ROWS, named], named), undefined, 'an entry of another actor is none');
});

await t.test('an entry comes back as it was drafted', async (t) => {
  const given = draft({ detail: '\u0000 ü', count: 7, outcome: 'refused', code: 'busy' });
  const row = nextRow(GENESIS, given);
  t.strictSame(parseRow(row), { seq: 1, ...given, hash: row.hash });
});

await t.test('a member that a later version has added is covered, not refused', async (t) => {
  const row = nextRow(GENESIS, { ...draft(), atMs: 5 });
  const text = row.text.replace('{"seq":1', '{"later":true,"seq":1');
  t.match(parseRow({ ...row, text }), { seq: 1, atMs: 5 });
});

await t.test(
  'each single byte that is changed breaks the chain where it was changed',
  async (t) => {
    let count = 0;
    const missed: string[] = [];
    for (const [index, row] of ROWS.entries()) {
      for (const column of ['text', 'hash', 'service'] as const) {
        const bytes = Buffer.from(row[column]);
        for (let at = 0; at < bytes.length; at++) {
          const changed = Buffer.from(bytes);
          changed[at]! ^= 1;
          const rows = ROWS.with(index, { ...row, [column]: changed.toString() });
          const found = check(rows, HEAD);
          count++;
          if (found?.seq !== index + 1) missed.push(`${column} of ${index + 1}, byte ${at}`);
        }
      }
    }
    t.ok(count > 1_500, `${count} bytes`);
    t.strictSame(missed, []);
  },
);

await t.test(
  'an entry that says something else but has its own hash breaks the next one',
  async (t) => {
    const forged = nextRow(ROWS[1]!, draft({ actor: 'somebody else' }));
    t.match(check(ROWS.with(2, forged), HEAD), { seq: 4, fault: /its hash does not fit/ });
    const last = nextRow(ROWS[3]!, draft({ actor: 'somebody else' }));
    t.match(check(ROWS.with(4, last), HEAD), { seq: 5, fault: /was written last/ });
  },
);

await t.test('an entry that was removed is missed, at both ends too', async (t) => {
  for (let index = 0; index < ROWS.length; index++) {
    t.match(check(ROWS.toSpliced(index, 1), HEAD), { seq: index + 1 }, `entry ${index + 1}`);
  }
  t.match(check([], HEAD), { seq: 1, fault: 'the entries up to 5 are missing' });
  t.match(check(ROWS.slice(2), HEAD, ROWS[0]), { seq: 2, fault: /has the number 3/ });
});

await t.test(
  'entries that were swapped are noticed, also when they swap their numbers',
  async (t) => {
    for (let index = 0; index + 1 < ROWS.length; index++) {
      const [one, two] = [ROWS[index]!, ROWS[index + 1]!];
      const moved = ROWS.with(index, two).with(index + 1, one);
      t.match(check(moved, HEAD), { seq: index + 1 });
      const renumbered = ROWS.with(index, { ...two, seq: one.seq }).with(index + 1, {
        ...one,
        seq: two.seq,
      });
      t.match(check(renumbered, HEAD), { seq: index + 1 });
    }
  },
);

await t.test('an entry under another number is noticed, also with its own hash', async (t) => {
  const { service, text } = nextRow({ seq: 6, hash: GENESIS.hash }, draft());
  const hash = createHash('sha256').update(GENESIS.hash).update(text).digest('hex');
  const moved = { seq: 1, service, text, hash };
  t.match(check([moved], moved), { seq: 1, fault: 'it was written under another number' });
});

await t.test('entries that nobody wrote are noticed', async (t) => {
  t.match(check([...ROWS, nextRow(HEAD, draft())], HEAD), { seq: 6, fault: /was written last/ });
  t.match(check(ROWS.toSpliced(2, 0, ROWS[1]!), HEAD), { seq: 3 }, 'the same twice');
});

await t.test('a chain that begins elsewhere is not this one', async (t) => {
  const other = chain(5, { seq: 0, hash: 'f'.repeat(64) });
  t.match(check(other, other.at(-1)!), { seq: 1 });
});

await t.test('what is no entry is none', async (t) => {
  const row = nextRow(GENESIS, draft());
  for (const text of [
    '',
    'null',
    '[]',
    '{}',
    row.text.slice(0, -1),
    row.text.replace('done', 'x'),
  ]) {
    t.equal(parseRow({ ...row, text }), undefined, text.slice(0, 20));
  }
});
