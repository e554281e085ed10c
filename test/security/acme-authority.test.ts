// Authorities that lie, hang, drip, flood or are gone: an order ends within its time, takes bounded memory,
// says what was wrong, and touches nothing but itself.

import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import type { OrderBrief } from '../../src/control-plane/acme/order-messages.ts';
import {
  runOrder,
  type OrderEnd,
  type OrderRun,
  type RunHands,
  type RunOptions,
} from '../../src/control-plane/acme/order-run.ts';
import { temporaryDirectory } from '../e2e/turnout-process.ts';
import {
  json,
  scriptedAuthority,
  type Answer,
  type ScriptedAuthority,
  type Step,
} from '../support/scripted-authority.ts';

t.setTimeout(180_000);

const DOMAIN = 'a.test';
const ACCOUNT_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const ERROR = 'urn:ietf:params:acme:error:';

function briefFor({
  directory,
  trusted,
}: Pick<ScriptedAuthority, 'directory' | 'trusted'>): OrderBrief {
  const none = { accountUrl: '', email: '', isEmailNew: false, binding: undefined };
  const wanted = { domain: DOMAIN, challenge: 'http-01' } as const;
  return { directory, trusted, accountKey: ACCOUNT_KEY, ...none, ...wanted };
}

const HANDS: RunHands = { answer: async () => {}, account: () => {} };

function run(
  authority: Pick<ScriptedAuthority, 'directory' | 'trusted'>,
  options: RunOptions = {},
  hands: Partial<RunHands> = {},
): OrderRun {
  return runOrder(briefFor(authority), { ...HANDS, ...hands }, options);
}

async function problemOf(order: OrderRun): Promise<(OrderEnd & { kind: 'failed' })['problem']> {
  const end = await order.ended;
  if (end.kind !== 'failed') throw new Error(`expected a failure, got ${end.kind}`);
  return end.problem;
}

const never: Answer = () => {};
const drips: Answer = (response) => {
  const timer = setInterval(() => response.write(' '), 50);
  response.on('close', () => clearInterval(timer));
};

for (const [name, answer] of [
  ['never answers', never] as const,
  ['drips its answer', drips] as const,
]) {
  await t.test(`an authority that ${name} has as long as an order may take`, async (t) => {
    const authority = await scriptedAuthority(t, DOMAIN);
    authority.instead('order', answer);
    const { words } = await problemOf(run(authority, { timeoutMs: 4_000 }));
    t.equal(
      words,
      'the authority did not carry out the order within 4 s (while placing the order)',
    );
    await authority.left;
  });
}

const FLOOD = Buffer.alloc(65_536, ' ');
const floods: Answer = (response) => {
  const more = (): void => {
    while (!response.destroyed && response.write(FLOOD));
  };
  response.on('drain', more);
  more();
};

interface Lie {
  readonly step: Step;
  readonly answer: Answer;
  readonly words: RegExp;
}

const LIES: Readonly<Record<string, Lie>> = {
  'floods its client': {
    step: 'dir',
    answer: floods,
    words: /maxContentLength size of 262144 exceeded/,
  },
  'answers with a page of HTML': {
    step: 'dir',
    answer: (response) => response.end('<html>'),
    words: /is no directory .*: acme\.ca has to be the whole URL of one$/,
  },
  'names addresses without TLS': {
    step: 'dir',
    answer: json({ newNonce: 'http://169.254.169.254/nonce', newAccount: 'x', newOrder: 'x' }),
    words: /names an address that is not https: http:\/\/169\.254\.169\.254\/nonce/,
  },
  'names no address': {
    step: 'dir',
    answer: json({ newNonce: 'nonce', newAccount: 7 }),
    words: /names an address that is not https/,
  },
  'sends its client elsewhere': {
    step: 'dir',
    answer: (response) => response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end(),
    words: /returned no data|Unable to locate/,
  },
  'gives an order of another form': {
    step: 'order',
    answer: json({ authorizations: 7 }, 201, { location: 'https://127.0.0.1:1/order' }),
    words: /makes no sense|authorizations/,
  },
  'wants a thousand things to be proven': {
    step: 'order',
    answer: json({ authorizations: Array.from({ length: 1_000 }, () => 'x') }, 201, {
      location: 'x',
    }),
    words: /wants 1000 authorizations for one domain/,
  },
  'wants another domain to be proven': {
    step: 'authz',
    answer: json({
      identifier: { type: 'dns', value: 'victim.test' },
      status: 'pending',
      challenges: [],
    }),
    words: /wants victim\.test to be proven, not a\.test/,
  },
  'offers only other challenges': {
    step: 'authz',
    answer: json({
      identifier: { type: 'dns', value: DOMAIN },
      status: 'pending',
      challenges: [{ type: 'dns-01', token: 'x', url: 'x' }],
    }),
    words: /does not offer http-01 for a\.test, only dns-01/,
  },
  'refuses by a CAA record': {
    step: 'finalize',
    answer: json({ type: `${ERROR}caa`, detail: 'CAA record prevents issuance' }, 403),
    words: /answered caa \(while it makes the certificate\): CAA record prevents issuance/,
  },
  'says that there were too many': {
    step: 'order',
    answer: json({ type: `${ERROR}rateLimited`, detail: 'too many' }, 429, {
      'retry-after': '86400',
    }),
    words: /answered rateLimited \(while placing the order\): too many/,
  },
  'writes on the terminal': {
    step: 'order',
    answer: json({ type: `${ERROR}malformed`, detail: '\u001B[2J\nlevel=error' }, 400),
    words: /: \\u\{1b\}\[2J\\u\{a\}level=error$/,
  },
};

for (const [name, { step, answer, words }] of Object.entries(LIES)) {
  await t.test(`an authority that ${name} is told of`, async (t) => {
    const authority = await scriptedAuthority(t, DOMAIN);
    authority.instead(step, answer);
    const asked: string[] = [];
    const answering = async (): Promise<void> => void asked.push('workers');
    const problem = await problemOf(run(authority, {}, { answer: answering }));
    t.match(problem.words, words);
    if (step !== 'finalize') t.same(asked, [], 'workers are told nothing');
    t.equal(problem.isRateLimited, /rateLimited/.test(problem.words));
    if (problem.isRateLimited) t.equal(problem.retryAfterMs, 86_400_000);
  });
}

await t.test('an authority that asks for a moment gets it within the order', async (t) => {
  const authority = await scriptedAuthority(t, DOMAIN);
  const busy = json('busy', 503, { 'retry-after': '1' });
  authority.instead('order', busy, 2);
  authority.instead(
    'finalize',
    json({ type: `${ERROR}rateLimited` }, 429, { 'retry-after': '1' }),
    1,
  );
  const end = await run(authority).ended;
  t.match(end, { kind: 'obtained', chain: 'no certificate' });
  t.equal(authority.asked.filter((step) => step === 'order').length, 3);
});

await t.test('an authority that is gone, or that is another one, is told of', async (t) => {
  const authority = await scriptedAuthority(t, DOMAIN);
  const untrusted = await problemOf(run({ ...authority, trusted: '' }));
  t.match(untrusted.words, /cannot be reached .*not trusted; see acme\.caFile/);
  const gone = await problemOf(run({ ...authority, directory: 'https://127.0.0.1:1/dir' }));
  t.match(gone.words, /cannot be reached .*connection refused/);
  const plain = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => {
    plain.listen(0, '127.0.0.1', resolve);
  });
  t.teardown(() => plain.close());
  const address = plain.address() as { readonly port: number };
  const directory = `https://127.0.0.1:${address.port}/dir`;
  t.match(
    (await problemOf(run({ ...authority, directory }))).words,
    /\(while asking for its directory\)/,
  );
});

await t.test('workers that cannot answer end the order before the authority is told', async (t) => {
  const authority = await scriptedAuthority(t, DOMAIN);
  const hang = new Error('a worker hangs');
  const { words } = await problemOf(
    run(authority, {}, { answer: async () => Promise.reject(hang) }),
  );
  t.match(words, /workers cannot answer the challenge: a worker hangs/);
  t.notOk(authority.asked.includes('challenge'));
});

await t.test('an order that is called off has ended when it says so', async (t) => {
  const authority = await scriptedAuthority(t, DOMAIN);
  authority.instead('order', never);
  const order = run(authority);
  await authority.until('order');
  order.callOff();
  t.same(await order.ended, { kind: 'called off' });
  await authority.left;
});

async function brokenProgram(t: Test, text: string): Promise<string> {
  const program = join(temporaryDirectory(t), 'broken.mjs');
  writeFileSync(program, text);
  const nowhere = { directory: 'https://127.0.0.1:1/', trusted: '' };
  return (await problemOf(run(nowhere, { program: pathToFileURL(program) }))).words;
}

await t.test('a program that breaks down is told of with its last words', async (t) => {
  const thrown = await brokenProgram(t, 'throw new Error("no such module");');
  t.match(thrown, /the program of orders broke down \(1\).*: Error: no such module$/);
  t.match(await brokenProgram(t, ''), /broke down \(0\).*: it said nothing$/);
  const flood = `
    import { writeSync } from 'node:fs';
    const line = 'x'.repeat(65_536) + String.fromCharCode(10);
    for (let written = 0; written < 1_000; written++) writeSync(2, line);
    process.exit(3);`;
  t.match(await brokenProgram(t, flood), /broke down \(3\)/);
  const greed = 'const all = []; for (;;) all.push(Array.from({ length: 100_000 }, () => ({})));';
  t.match(await brokenProgram(t, greed), /broke down \(SIGABRT\).*: FATAL ERROR/);
});

await t.test('an order ends with the process that placed it, whatever ended that', async (t) => {
  const authority = await scriptedAuthority(t, DOMAIN);
  authority.instead('order', never);
  const module = new URL('../../src/control-plane/acme/order-run.ts', import.meta.url);
  const script = `
    import { runOrder } from ${JSON.stringify(module.href)};
    runOrder(${JSON.stringify(briefFor(authority))}, { answer: async () => {}, account: () => {} });`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: 'ignore',
  });
  t.teardown(() => parent.kill('SIGKILL'));
  await authority.until('order');
  parent.kill('SIGKILL');
  await authority.left;
  t.pass('its connection has closed');
});
