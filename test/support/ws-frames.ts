// WebSocket frames byte by byte (RFC 6455 §5.2), as latin1 text, for peers that behave in ways a
// library would not.

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9 } as const;

interface FrameParts {
  readonly opcode: number;
  readonly payload: string;
  readonly isFinal: boolean;
}

/** Returns a frame as a server sends it. */
export function serverFrame({ opcode, payload, isFinal }: FrameParts): string {
  return `${char((isFinal ? 0x80 : 0) | opcode)}${length(payload.length, 0)}${payload}`;
}

/** Returns a frame as a client sends it: masked. */
export function clientFrame({ opcode, payload, isFinal }: FrameParts): string {
  const key = [0x12, 0x34, 0x56, 0x78];
  const masked = Buffer.from(payload, 'latin1').map((byte, i) => byte ^ key[i % key.length]!);
  const head = `${char((isFinal ? 0x80 : 0) | opcode)}${length(payload.length, 0x80)}`;
  return `${head}${String.fromCharCode(...key)}${Buffer.from(masked).toString('latin1')}`;
}

/** Returns the payload of a Close frame. */
export function closePayload(code: number, reason: string): string {
  return `${char(code >> 8)}${char(code & 0xff)}${reason}`;
}

/** Returns a whole message in one frame of a server. */
export function message(payload: string): string {
  return serverFrame({ opcode: OPCODE.binary, payload, isFinal: true });
}

/** What Turnout says to a WebSocket client that shall come back. */
export const RESTART = serverFrame({
  opcode: OPCODE.close,
  payload: closePayload(1012, 'service restart'),
  isFinal: true,
});

function length(bytes: number, mask: number): string {
  if (bytes < 126) return char(mask | bytes);
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(bytes));
  if (bytes < 65_536) return `${char(mask | 126)}${long.toString('latin1', 6)}`;
  return `${char(mask | 127)}${long.toString('latin1')}`;
}

function char(byte: number): string {
  return String.fromCharCode(byte);
}
