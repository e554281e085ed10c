// Runs a plane in a process of its own, so that its memory can be measured apart from the test's.
// Started by memory-plane.ts; speaks by messages: `gauges` and `memory` are asked, answers follow.

import { openTestPlane, type SettingsPatch } from './plane.ts';
import { failureCounts, gaugesOf } from './shared-counters.ts';

const { targetPort, patch } = JSON.parse(process.argv[2]!) as {
  readonly targetPort: number;
  readonly patch: SettingsPatch;
};

const plane = await openTestPlane({ blue: [targetPort], green: [] }, patch);
process.on('message', () => {
  globalThis.gc?.();
  process.send?.({
    rssBytes: process.memoryUsage.rss(),
    gauges: gaugesOf(plane),
    failures: failureCounts(plane),
  });
});
process.on('disconnect', () => {
  process.exit(0);
});
process.send?.({ port: plane.port });
