// What every folder of the data plane may ask of its worker. Each one adds what it alone needs.

import type { DataPlaneSettings } from '../../contract/worker-settings.ts';
import type { Tally } from '../base/tally.ts';
import type { Wheel } from '../base/wheel.ts';

export interface WorkerServices {
  /** In force now; replaced whole with a table. */
  readonly settings: DataPlaneSettings;
  readonly tally: Tally;
  readonly wheel: Wheel;
  /** Reports an error of ours that was caught where it costs one connection only. */
  contained(error: unknown): void;
}
