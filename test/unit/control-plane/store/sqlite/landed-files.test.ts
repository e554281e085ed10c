// The step from files of versions before deployments, on a file that such a version has made: nothing of
// it is lost, and a process that is killed in the middle leaves a file that can be opened.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Tokens } from '../../../../../src/control-plane/access/tokens.ts';
import { AuditLog } from '../../../../../src/control-plane/audit/audit-log.ts';
import {
  deploymentOf,
  type ServiceState,
} from '../../../../../src/control-plane/store/service-state.ts';
import { openSqliteStore } from '../../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import type { Store } from '../../../../../src/control-plane/store/store.ts';
import { TestLog } from '../../support/fixtures.ts';
import { LANDED, landIn } from '../../support/landed.ts';

/** Schema of the versions that know no deployment. */
const SCHEMA_BEFORE = 5;

function landed(t: Test): string {
  const dir = join(t.testdir(), 'state');
  landIn(dir);
  return dir;
}

function openIn(t: Test, dir: string): Store {
  const store = openSqliteStore(dir, new TestLog());
  t.teardown(async () => store.close());
  return store;
}

/** Returns the release, color and targets of a deployment. */
function told(state: ServiceState, number: number): readonly [string, string, readonly string[]] {
  const { release, color, urls } = deploymentOf(state, number)!;
  return [release, color, urls];
}

function checkState(t: Test, store: Store): void {
  const { epoch, nextDeployment, services, freeze } = store.state;
  t.equal(epoch, LANDED.generation);
  t.match(freeze, { reason: 'black friday', actor: 'loopback' });
  const [shop, bank, news] = ['shop', 'bank', 'news'].map((name) => services.get(name)!);
  const numbers = [shop!, bank!, news!].flatMap(({ deployments }) =>
    deployments.map(({ number }) => number),
  );
  t.equal(new Set(numbers).size, numbers.length, 'no number is given twice');
  t.equal(nextDeployment, Math.max(...numbers) + 1);

  t.match(shop, { active: 'green', lockOuts: { length: 0 }, maintenance: undefined });
  t.strictSame(told(shop!, shop!.green.deployment), ['v2', 'green', ['http://127.91.13.2:3000']]);
  t.strictSame(told(shop!, shop!.blue.deployment), ['v1', 'blue', ['http://127.91.13.1:3000']]);
  t.equal(shop!.draining[0]?.deployment, shop!.blue.deployment);
  t.equal(shop!.lastSwitch?.from, shop!.blue.deployment, 'a rollback leads there');

  t.match(bank, {
    active: 'blue',
    lockOuts: [{ release: 'b2', reason: 'b2 fails', actor: 'loopback', epoch: 4 }],
    maintenance: { message: 'back soon', retryAfterSeconds: 120 },
    lastSwitch: { outcome: 'rolled-back' },
  });

  t.match(news, { active: 'blue', lockOuts: { length: 0 } });
  const targets = ['http://127.91.13.8:3000', 'http://127.91.13.9:3000'];
  t.strictSame(told(news!, news!.green.deployment), ['n3', 'green', targets]);
  const left = told(news!, news!.draining[0]!.deployment);
  t.strictSame(
    left,
    ['n2', 'green', ['http://127.91.13.6:3000']],
    'what drains is not what is there',
  );
}

await t.test('all that was decided is there, by its deployment', async (t) => {
  const store = openIn(t, landed(t));
  t.equal(store.warning, undefined);
  checkState(t, store);
});

await t.test(
  'each generation that cookies hold leads to the deployment that gave them',
  async (t) => {
    const { services } = openIn(t, landed(t)).state;
    for (const [cookie, name, release] of [
      [LANDED.shopBlueCookie, 'shop', 'v1'],
      [LANDED.shopGreenCookie, 'shop', 'v2'],
      [LANDED.bankBlueCookie, 'bank', 'b1'],
      [LANDED.bankGreenCookie, 'bank', 'b2'],
      [LANDED.newsBlueCookie, 'news', 'n1'],
      [LANDED.newsGreenCookie, 'news', 'n2'],
    ] as const) {
      const generation = Number.parseInt(cookie.slice(cookie.indexOf('=') + 1), 36);
      const state = services.get(name)!;
      const number = new Map(state.legacy).get(generation) ?? 0;
      t.equal(deploymentOf(state, number)?.release, release, cookie);
    }
  },
);

await t.test('history and audit log are as they were, and the chain is whole', async (t) => {
  const store = openIn(t, landed(t));
  const history = store.history({ service: undefined, limit: 100 });
  t.match(
    history.map(({ epoch, atMs, tookMs, ...entry }) => ({
      ...entry,
      generation: epoch,
      at: new Date(atMs).toISOString(),
      tookMs: Number(tookMs?.toFixed(3)),
    })),
    LANDED.history,
  );
  const audit = new AuditLog({ store, log: new TestLog() });
  t.match(await audit.verify(), { state: /^ok$/, head: LANDED.auditHead });
});

await t.test('tokens prove what they did, and what was done is answered again', async (t) => {
  const store = openIn(t, landed(t));
  const tokens = new Tokens(store);
  t.match(await tokens.prove(LANDED.token), {
    kind: 'proven',
    token: { name: 'ci', role: 'switch', services: ['shop'] },
  });
  t.match(await tokens.prove(LANDED.revoked), { kind: 'over', token: { name: 'gone' } });
  const answer = store.answers.find('deploy-v2', 0);
  t.match(answer, { status: 200, generation: 2 });
  t.equal(JSON.parse(answer!.body).publishedAt, JSON.parse(LANDED.switchAnswer).publishedAt);
  t.equal(store.answers.find('refused', 0), undefined, 'a refusal leaves its key free');
});

await t.test('what was in the journal of a killed process is brought along', async (t) => {
  const dir = landed(t);
  const path = join(dir, 'turnout.db');
  const raw = new DatabaseSync(path);
  raw.exec(`PRAGMA journal_mode = WAL; UPDATE freeze SET reason = 'in the journal'`);
  const killed = join(dir, '..', 'killed');
  mkdirSync(killed);
  for (const suffix of ['', '-wal'])
    copyFileSync(path + suffix, join(killed, `turnout.db${suffix}`));
  raw.close();
  t.match(openIn(t, killed).state.freeze, { reason: 'in the journal' });
});

await t.test('a version before refuses the file, because its schema is newer', async (t) => {
  const dir = landed(t);
  await openSqliteStore(dir, new TestLog()).close();
  t.ok(schemaOf(join(dir, 'turnout.db')) > SCHEMA_BEFORE);
});

await t.test('the file is kept as it was, for the way back to the version before', async (t) => {
  const dir = landed(t);
  const log = new TestLog();
  await openSqliteStore(dir, log).close();
  const kept = join(dir, `turnout.db.schema-${SCHEMA_BEFORE}`);
  t.equal(schemaOf(kept), SCHEMA_BEFORE);
  t.match(log.lines, [{ level: 'info', message: kept }]);
  const raw = new DatabaseSync(kept, { readOnly: true });
  t.match(raw.prepare('SELECT generation FROM position').get(), { generation: LANDED.generation });
  raw.close();
});

function schemaOf(path: string): number {
  const raw = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(raw.prepare('PRAGMA user_version').get()?.['user_version']);
  } finally {
    raw.close();
  }
}

const DOOMED = fileURLToPath(new URL('../../support/doomed-migration.ts', import.meta.url));

/** Opens `dir` in a process that ends before a statement; tells whether it has come to its end. */
async function openAndKill(dir: string, statement: number): Promise<boolean> {
  const child = spawn(process.execPath, [DOOMED, dir, `${statement}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let told = '';
  child.stdout.on('data', (chunk) => (told += String(chunk)));
  await once(child, 'close');
  return told !== '';
}

await t.test('a kill at any statement of the step leaves a file with everything', async (t) => {
  const base = t.testdir();
  for (let statement = 1; ; statement++) {
    const dir = join(base, `${statement}`);
    landIn(dir);
    const hasOpened = await openAndKill(dir, statement);
    const store = openSqliteStore(dir, new TestLog());
    t.equal(store.warning, undefined, `killed before statement ${statement}`);
    checkState(t, store);
    await store.close();
    if (hasOpened) return;
  }
});
