// Which byte may stand where (RFC 9110 §5.6.2, RFC 9112 §3, RFC 3986 §2). One table of flags.

export const TOKEN = 1; // method, field name
export const VALUE = 2; // field value: HTAB, SP, VCHAR, obs-text
export const TARGET = 4; // request target: VCHAR without "#"
export const HOST = 8; // reg-name, IPv4 address
export const HEX = 16;

/** Byte → flags of the roles it may play. */
export const CHARS: Uint8Array = buildTable();

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const SLASH = 0x2f;
export const ASTERISK = 0x2a;
export const ZERO = 0x30;
export const NINE = 0x39;

function buildTable(): Uint8Array {
  const table = new Uint8Array(256);
  const mark = (characters: string, flag: number): void => {
    for (let i = 0; i < characters.length; i++) table[characters.charCodeAt(i)]! |= flag;
  };
  const digits = '0123456789';
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  mark(digits + letters + "!#$%&'*+-.^_`|~", TOKEN);
  mark(digits + letters + "-._~!$&'()*+,;=%", HOST);
  mark(digits + 'abcdefABCDEF', HEX);
  table[0x09]! |= VALUE;
  for (let byte = 0x20; byte < 0x100; byte++) if (byte !== 0x7f) table[byte]! |= VALUE;
  for (let byte = 0x21; byte < 0x7f; byte++) if (byte !== 0x23) table[byte]! |= TARGET;
  return table;
}
