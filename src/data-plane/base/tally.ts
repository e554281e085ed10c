// Writes the shared counters of one worker. No locks and no objects: this worker is the only
// writer of its region (contract/counters.ts).

import { FAILURE_INDEX, type FailureCode } from '../../base/failures.ts';
import {
  BLOCK,
  ENDPOINT_ROW,
  HANDSHAKE_OUTCOMES,
  WORKER_ROW,
  blockOffset,
  endpointOffset,
  observe,
  requestSlot,
  type HandshakeOutcome,
} from '../../contract/counters.ts';
import { SHADOW_RESULTS, type ShadowResult } from '../../contract/shadow-rules.ts';

export const UNTIMED = -1;

export class Tally {
  readonly #region: Float64Array;

  /** `region` is the part of the shared counters that belongs to this worker. */
  constructor(region: Float64Array) {
    this.#region = region;
  }

  connectionOpened(): void {
    this.#region[WORKER_ROW.connectionsOpen]! += 1;
    this.#region[WORKER_ROW.connectionsAccepted]! += 1;
  }

  connectionClosed(): void {
    this.#region[WORKER_ROW.connectionsOpen]! -= 1;
  }

  connectionRefused(): void {
    this.#region[WORKER_ROW.connectionsRefused]! += 1;
  }

  logLinesDropped(count: number): void {
    this.#region[WORKER_ROW.logLinesDropped]! += count;
  }

  connectionDisplaced(): void {
    this.#region[WORKER_ROW.connectionsDisplaced]! += 1;
  }

  handshakeBegan(): void {
    this.#region[WORKER_ROW.handshakesOpen]! += 1;
  }

  handshakeEnded(outcome: HandshakeOutcome): void {
    this.#region[WORKER_ROW.handshakesOpen]! -= 1;
    this.handshake(outcome);
  }

  /** One that did not begin. */
  handshake(outcome: HandshakeOutcome): void {
    this.#region[WORKER_ROW.handshakes + HANDSHAKE_OUTCOMES.indexOf(outcome)]! += 1;
  }

  get connectionsOpen(): number {
    return this.#region[WORKER_ROW.connectionsOpen]!;
  }

  requestBegan(block: number): void {
    this.#region[blockOffset(block) + BLOCK.inflight]! += 1;
  }

  /**
   * `status` 0: no response began, so only the failure counts. `durationMs` UNTIMED: its time says
   * nothing about the deployment.
   */
  requestEnded(block: number, decisionIndex: number, status: number, durationMs: number): void {
    const at = blockOffset(block);
    this.#region[at + BLOCK.inflight]! -= 1;
    if (status === 0) return;
    this.#region[at + requestSlot(decisionIndex, status)]! += 1;
    if (durationMs !== UNTIMED) observe(this.#region, at + BLOCK.duration, durationMs);
  }

  /** A request counts for or against the release; `isSplit`: it was placed by a rollout. */
  judged(block: number, isBad: boolean, isSplit: boolean): void {
    const region = this.#region;
    const at = blockOffset(block);
    region[at + BLOCK.judged]! += 1;
    if (isBad) region[at + BLOCK.judgedBad]! += 1;
    if (!isSplit) return;
    region[at + BLOCK.judgedSplit]! += 1;
    if (isBad) region[at + BLOCK.judgedBadSplit]! += 1;
  }

  /** Adds to another histogram of durations than that of all requests. */
  timed(block: number, slot: number, durationMs: number): void {
    observe(this.#region, blockOffset(block) + slot, durationMs);
  }

  /** A request goes on at another deployment. */
  requestMoved(from: number, to: number): void {
    this.#region[blockOffset(from) + BLOCK.inflight]! -= 1;
    this.#region[blockOffset(to) + BLOCK.inflight]! += 1;
  }

  bytesMoved(block: number, requestBytes: number, responseBytes: number): void {
    const at = blockOffset(block);
    this.#region[at + BLOCK.requestBytes]! += requestBytes;
    this.#region[at + BLOCK.responseBytes]! += responseBytes;
  }

  failed(block: number, code: FailureCode): void {
    this.#region[blockOffset(block) + BLOCK.failures + FAILURE_INDEX[code]]! += 1;
  }

  /** `reason`: one of RETRY_REASON. */
  retried(block: number, reason: number): void {
    this.#region[blockOffset(block) + BLOCK.retries + reason]! += 1;
  }

  rescued(block: number): void {
    this.#region[blockOffset(block) + BLOCK.rescued]! += 1;
  }

  tunnels(block: number, step: 1 | -1): void {
    this.#region[blockOffset(block) + BLOCK.tunnels]! += step;
  }

  streams(block: number, step: 1 | -1): void {
    this.#region[blockOffset(block) + BLOCK.streams]! += step;
  }

  endpointTunnels(slot: number, step: 1 | -1): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.tunnels]! += step;
  }

  endpointStreams(slot: number, step: 1 | -1): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.streams]! += step;
  }

  held(block: number, step: 1 | -1): void {
    this.#region[blockOffset(block) + BLOCK.held]! += step;
  }

  /** What became of a copy of a request that `block` got. */
  shadow(block: number, result: ShadowResult): void {
    this.#region[blockOffset(block) + BLOCK.shadow + SHADOW_RESULTS.indexOf(result)]! += 1;
  }

  /** How long the client and the copy waited for the heads of responses that were compared. */
  shadowTimes(block: number, liveMs: number, copiedMs: number): void {
    const at = blockOffset(block) + BLOCK.shadow + SHADOW_RESULTS.length;
    this.#region[at]! += liveMs;
    this.#region[at + 1]! += copiedMs;
  }

  connected(block: number, slot: number, durationMs: number): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.connects]! += 1;
    observe(this.#region, blockOffset(block) + BLOCK.connect, durationMs);
  }

  connectFailed(slot: number): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.connectFailures]! += 1;
  }

  /** An endpoint has responded to a request. */
  endpointResponded(slot: number, status: number): void {
    const kind = status < 500 ? ENDPOINT_ROW.answered : ENDPOINT_ROW.failed;
    this.#region[endpointOffset(slot) + kind]! += 1;
  }

  /** An endpoint got a request, or should have got it, and has not responded. */
  endpointFailed(slot: number): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.failed]! += 1;
  }

  endpointBusy(slot: number, step: 1 | -1): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.inflight]! += step;
  }

  endpointConnections(slot: number, step: 1 | -1): void {
    this.#region[endpointOffset(slot) + ENDPOINT_ROW.connections]! += step;
  }

  endpointInflight(slot: number): number {
    return this.#region[endpointOffset(slot) + ENDPOINT_ROW.inflight]!;
  }
}
