// Load in a process of its own, so that it is real. It makes the switch calls as well: then one
// process knows both what it had been told and what it sent afterwards.
//
// Started by load-process.ts, which asks over IPC and is answered there.

import { judge, type Switch } from '../../bench/switching/judge.ts';
import { percentile } from '../../bench/harness/statistics.ts';
import { unreachable } from '../../src/base/assert.ts';
import { otherColor, type Color } from '../../src/contract/table.ts';
import { AdminClient } from './admin-client.ts';
import { Load } from './load.ts';
import type { Ask, Calls, LoadPlan, Verdict } from './load-process.ts';

const plan = JSON.parse(process.argv[2]!) as LoadPlan;
const load = new Load(plan);
/** What holds before the first call stands here like an answered switch. */
const switches: Switch[] = [{ calledMs: -1, answeredMs: 0, to: plan.active }];

async function switchBackAndForth(count: number): Promise<Calls> {
  const tookMs: number[] = [];
  // A connection of its own: after an upgrade another process answers operators.
  const admin = new AdminClient(plan.admin);
  for (let index = 0; index < count; index++) {
    const to = otherColor(switches.at(-1)!.to);
    const finishUpload = plan.straddles ? load.beginUpload() : async () => {};
    const startedMs = performance.now();
    await callSwitch(admin, to);
    tookMs.push(performance.now() - startedMs);
    // The next call waits for these: the workers that serve them know of this switch.
    await Promise.all([load.probe(), finishUpload()]);
  }
  admin.close();
  return { count, p50Ms: percentile(tookMs, 50), p99Ms: percentile(tookMs, 99) };
}

async function callSwitch(admin: AdminClient, to: Color): Promise<void> {
  const calledMs = load.tick();
  const { status, text } = await admin.post('/v1/switch', { to });
  if (status !== 200) throw new Error(`expected a switch to ${to}, got ${status} ${text}`);
  switches.push({ calledMs, answeredMs: load.tick(), to });
}

function verdict(): Verdict {
  const { requests, judged, wrong } = judge(load.notes, switches);
  return {
    requests,
    judged,
    wrong,
    straddling: load.notes.filter(runsAcrossACall).length,
    switches: switches.length - 1,
    active: switches.at(-1)!.to,
    failed: load.failedCount,
    failures: Object.fromEntries(load.failures),
    closedIdle: load.closedIdleCount,
    open: load.openCount,
    lost: load.lostCount,
  };
}

/** Sent before a call, answered after its answer. */
function runsAcrossACall(note: { readonly sentMs: number; readonly answeredMs: number }): boolean {
  let [low, high] = [0, switches.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (switches[middle]!.calledMs < note.sentMs) low = middle + 1;
    else high = middle;
  }
  const next = switches[low];
  return next !== undefined && next.answeredMs < note.answeredMs;
}

async function obey(ask: Ask): Promise<unknown> {
  switch (ask.do) {
    case 'switch':
      return switchBackAndForth(ask.count);
    case 'reopen':
      return load.reopen();
    case 'rest':
      await load.rest();
      break;
    case 'wait-for-close':
      await load.closed();
      break;
    case 'tell':
      break;
    case 'close':
      await load.rest();
      load.close();
      break;
    default:
      unreachable(ask);
  }
  return verdict();
}

async function answer(ask: Ask): Promise<void> {
  try {
    process.send!({ id: ask.id, result: await obey(ask) });
  } catch (error) {
    process.send!({ id: ask.id, error: String(error) });
  }
  if (ask.do === 'close') process.disconnect();
}

process.on('message', (ask: Ask) => void answer(ask));
// A test that has gone needs no load.
process.once('disconnect', () => process.exit());
await load.start();
process.send!({ id: 0, result: 'started' });
