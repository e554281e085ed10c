// A process that switches, registers and writes down refusals as fast as it can, and tells each
// acknowledged write on its standard output, until it is killed.

import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import type { StoredChange } from '../../../../src/control-plane/store/store.ts';
import { switchRecord } from '../../../../src/control-plane/deployments/change.ts';
import {
  ended,
  registered,
  switched,
  type SwitchTerms,
} from '../../../../src/control-plane/deployments/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { commit } from './commit.ts';
import { TestLog } from './fixtures.ts';
import { notes } from './notes.ts';
import { deployment, SERVICE } from './stored.ts';

const store = openSqliteStore(process.argv[2]!, new TestLog());
let { epoch, nextDeployment } = store.state;
let service = store.state.services.get('default') ?? SERVICE;
if (epoch === 0) {
  epoch = 1;
  nextDeployment = 3;
  await write([]);
}

async function write(
  records: StoredChange['records'],
  noted?: StoredChange['notes'],
): Promise<void> {
  await commit(store, { epoch, nextDeployment, services: [service], records, notes: noted });
}

function tell(what: string): void {
  writeSync(1, `${what} ${epoch} ${service.active}\n`);
}

async function register(): Promise<void> {
  epoch++;
  const color = otherColor(service.active);
  service = registered(deployment(nextDeployment++, { color }))(service);
  await write([], notes({ generation: epoch, key: `key-${epoch}` }));
  tell('registered');
}

async function switchOver(): Promise<void> {
  epoch++;
  const before = service;
  const to = otherColor(before.active);
  const terms: SwitchTerms = {
    to: before[to].deployment,
    movesSessions: true,
    lockOut: undefined,
    epoch,
    nowMs: epoch,
    policy: testPolicy(),
    outcome: 'switched',
    actor: 'test',
    longLivedCount: 0,
  };
  const draining = new Set(before.draining.map((one) => one.deployment));
  service = switched(terms)(ended(draining)(before));
  const request = { force: false, reason: '', actor: 'test' };
  const record = switchRecord(before, service, {
    epoch,
    outcome: 'switched',
    nowMs: epoch,
    request,
  });
  await write([record], notes({ generation: epoch, key: `key-${epoch}` }));
  tell('switched');
  await store.recordTook(epoch, 1);
  await store.answers.complete(`key-${epoch}`, 'complete');
}

for (let round = 0; ; round++) {
  await switchOver();
  await register();
  await store.note(notes({ generation: epoch, outcome: 'refused' }), { mayBeLost: true });
  tell('refused');
}
