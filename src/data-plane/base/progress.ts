// How far a request has come, as those see it that wait for its end.

export interface Progress {
  /**
   * `upload`: the client has to send the rest of the request. `reader`: the client has to read what
   * it was sent. `target`: neither, the target has the word.
   */
  readonly waitsFor: 'upload' | 'reader' | 'target';
  /** What the client has sent and read so far. */
  readonly movedBytes: number;
  /** What it still has to send or read; undefined: that is not known. */
  readonly leftBytes: number | undefined;
}
