// One request that still runs, as an operator is told of it: enough to find its client and its kind,
// nothing that may be secret.

export interface RunningRequest {
  /** Address of the client, or the one that a trusted proxy named. */
  readonly client: string;
  readonly ageMs: number;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  /**
   * `upload`: its client has to send the rest. `reader`: its client has to read. `target`: the target
   * has the word. `tunnel` and `stream` go on until one side, or a drain, ends them.
   */
  readonly waitsFor: 'upload' | 'reader' | 'target' | 'tunnel' | 'stream';
}
