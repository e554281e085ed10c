// Where a connection to a target reads into: an area with room before and behind it, so that our
// framing can be written around the data where it lies.

import { READ_MARGIN_BYTES, TARGET_READ_BYTES } from '../../base/limits.ts';

/** Offset of the area in `ReadBuffer.bytes`. */
export const READ_START = READ_MARGIN_BYTES;

export class ReadBuffer {
  /** Margin, area, margin. Not zeroed: untouched pages cost no memory. */
  readonly bytes = Buffer.allocUnsafeSlow(
    READ_MARGIN_BYTES + TARGET_READ_BYTES + READ_MARGIN_BYTES,
  );
  readonly area = this.bytes.subarray(READ_START, READ_START + TARGET_READ_BYTES);
}
