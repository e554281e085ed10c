// A process that switches, registers and writes down refusals as fast as it can, and tells each
// acknowledged write on its standard output, until it is killed.

import { writeSync } from 'node:fs';
import { openSqliteStore } from '../../../../src/control-plane/store/sqlite/sqlite-store.ts';
import { otherColor } from '../../../../src/contract/table.ts';
import type { StoredChange } from '../../../../src/control-plane/store/store.ts';
import { switchRecord } from '../../../../src/control-plane/switching/change.ts';
import {
  activated,
  ended,
  registered,
  type SwitchTerms,
} from '../../../../src/control-plane/switching/state-edit.ts';
import { testPolicy } from '../../../support/policy.ts';
import { TestLog } from './fixtures.ts';
import { notes } from './notes.ts';
import { deployment, SERVICE } from './stored.ts';

const store = openSqliteStore(process.argv[2]!, new TestLog());
let { epoch, nextDeployment } = store.load();
let service = store.load().services.get('default') ?? SERVICE;
if (epoch === 0) {
  epoch = 1;
  nextDeployment = 3;
  commit([]);
}

function commit(records: StoredChange['records'], noted?: StoredChange['notes']): void {
  store.commit({ epoch, nextDeployment, services: [service], records, notes: noted });
}

function tell(what: string): void {
  writeSync(1, `${what} ${epoch} ${service.active}\n`);
}

function register(): void {
  epoch++;
  const color = otherColor(service.active);
  service = registered(deployment(nextDeployment++, { color }))(service);
  commit([], notes({ generation: epoch, key: `key-${epoch}` }));
  tell('registered');
}

function switchOver(): void {
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
  service = activated(to, terms)(ended(draining)(before));
  const request = { force: false, reason: '', actor: 'test' };
  const record = switchRecord(before, service, {
    epoch,
    outcome: 'switched',
    nowMs: epoch,
    request,
  });
  commit([record], notes({ generation: epoch, key: `key-${epoch}` }));
  tell('switched');
  store.recordTook(epoch, 1);
  store.answers.complete(`key-${epoch}`, 'complete');
}

for (let round = 0; ; round++) {
  switchOver();
  register();
  store.note(notes({ generation: epoch, outcome: 'refused' }), { mayBeLost: true });
  tell('refused');
}
