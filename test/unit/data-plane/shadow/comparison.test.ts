import t from 'tap';
import type { ShadowDifference, ShadowRules } from '../../../../src/contract/shadow-rules.ts';
import { differenceOf } from '../../../../src/data-plane/shadow/comparison.ts';
import { Ignored } from '../../../../src/data-plane/shadow/ignored.ts';
import { Observed } from '../../../../src/data-plane/shadow/observed.ts';
import { ResponseHead } from '../../../../src/http/heads/response-head.ts';

const RULES: ShadowRules = {
  fields: ['content-type', 'location'],
  ignore: [],
  ignorePaths: [],
  bodyBytesMax: 20,
  slowerMs: 0,
};

interface Response {
  readonly status?: number;
  readonly fields?: string;
  readonly body?: string;
  readonly atMs?: number;
}

function observed(rules: ShadowRules, response: Response): Observed {
  const { status = 200, fields = '', body = 'hello', atMs = 0 } = response;
  const text = `HTTP/1.1 ${status} X\r\n${fields}Content-Length: ${body.length}\r\n\r\n`;
  const head = new ResponseHead({ headBytesMax: 10_000, headFieldsMax: 100 });
  const bytes = Buffer.from(text + body, 'latin1');
  const next = head.parse(bytes, 0, bytes.length, false);
  const result = new Observed(rules);
  result.head(head, atMs);
  // In two parts, as it may come.
  const middle = next + Math.floor(body.length / 2);
  result.body(bytes, [next, middle], false);
  result.body(bytes, [middle, bytes.length], true);
  return result;
}

function compared(
  live: Response,
  copy: Response,
  patch: Partial<ShadowRules> = {},
): ShadowDifference | undefined {
  const rules = { ...RULES, ...patch };
  const ignored = new Ignored(rules.ignore);
  return differenceOf(observed(rules, live), observed(rules, copy), rules, ignored);
}

await t.test('the same response does not differ, whatever its other fields say', async (t) => {
  t.equal(compared({ fields: 'Date: today\r\n' }, { fields: 'Date: tomorrow\r\n' }), undefined);
});

await t.test('statuses differ by their class', async (t) => {
  t.match(compared({ status: 200 }, { status: 503 }), { kind: 'status', statuses: [200, 503] });
  t.equal(compared({ status: 200 }, { status: 206 }), undefined);
});

await t.test('a chosen field differs by its value, and by being there', async (t) => {
  const html = { fields: 'Content-Type: text/html\r\n' };
  const json = { fields: 'content-type: application/json\r\n' };
  t.match(compared(html, json), { kind: 'field', field: 'content-type' });
  t.match(compared(html, {}), { kind: 'field', field: 'content-type' });
  t.match(compared({}, { fields: 'Location: /b\r\n' }), { kind: 'field', field: 'location' });
  t.equal(compared(html, { fields: 'CONTENT-TYPE:text/html\r\n' }), undefined);
});

await t.test('repeats of a chosen field are compared as one list', async (t) => {
  const twice = { fields: 'Location: /a\r\nLocation: /b\r\n' };
  t.equal(compared(twice, { fields: 'Location: /a, /b\r\n' }), undefined);
});

await t.test(
  'bodies differ by their bytes; what is told of them are length and hash',
  async (t) => {
    t.strictSame(compared({ body: 'hello' }, { body: 'Hello!' }), {
      kind: 'body',
      field: '',
      statuses: [200, 200],
      bytes: [5, 6],
      hashes: ['2cf24dba5fb0', '334d016f755c'],
    });
  },
);

await t.test('what is ignored may differ in bodies and fields', async (t) => {
  const ignore = [['n=', ';']];
  const a = { body: 'x n=1; y', fields: 'Location: /?n=1;\r\n' };
  const b = { body: 'x n=234; y', fields: 'Location: /?n=2;\r\n' };
  t.equal(compared(a, b, { ignore }), undefined);
  t.match(compared(a, { ...b, body: 'x n=234; z' }, { ignore }), { kind: 'body' });
});

await t.test('bodies are compared up to a bound', async (t) => {
  const same = '0123456789abcdefghij';
  t.equal(compared({ body: `${same}AAA` }, { body: `${same}BBB` }), undefined);
  t.match(compared({ body: `x${same}` }, { body: `y${same}` }), { kind: 'body' });
});

await t.test('behind the bound, the declared length still counts', async (t) => {
  const same = '0123456789abcdefghij';
  t.match(compared({ body: `${same}A` }, { body: `${same}AB` }), { kind: 'body' });
  t.match(compared({ body: same }, { body: `${same}AB` }), { kind: 'body' });
});

await t.test('a token before the bound may be longer on one side', async (t) => {
  const ignore = [['n=', ';']];
  const a = { body: `n=1;0123456789abcdefghij` };
  const b = { body: `n=12345;0123456789abcdefghij` };
  t.equal(compared(a, b, { ignore }), undefined);
  t.match(compared(a, { body: 'n=12345;0123456X89abcdefghij' }, { ignore }), { kind: 'body' });
});

await t.test('a body that ends is not the same as one that goes on', async (t) => {
  const ignore = [['n=', ';']];
  const long = '0123456789abcdefghijklmnop';
  t.match(compared({ body: long }, { body: '0123456789' }, { ignore }), { kind: 'body' });
});

await t.test('no body is compared where no byte shall be', async (t) => {
  t.equal(compared({ body: 'a' }, { body: 'b' }, { bodyBytesMax: 0 }), undefined);
});

await t.test('a response that begins later differs where that is asked', async (t) => {
  t.equal(compared({ atMs: 10 }, { atMs: 500 }), undefined);
  t.match(compared({ atMs: 10 }, { atMs: 500 }, { slowerMs: 100 }), { kind: 'time' });
  t.equal(compared({ atMs: 10 }, { atMs: 110 }, { slowerMs: 100 }), undefined);
});
