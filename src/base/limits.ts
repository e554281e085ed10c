// Bounds of the data plane that no operator should have to set. Those that can be set are in
// contract/worker-settings.ts. Every number here has a reason beside it and a test that reaches it.

/** Informational answers (1xx) relayed for one request; real ones come in ones and twos. */
export const INFORMATIONAL_MAX = 16;

/** Bytes of chunk extensions in one body; they are dropped, so nobody needs many (RFC 9112 §7.1.1). */
export const CHUNK_EXTENSION_BYTES_MAX = 4_096;

/** Bytes of a trailer section, which is parsed whole. */
export const TRAILER_BYTES_MAX = 16_384;
export const TRAILER_FIELDS_MAX = 64;

/** Empty lines ignored before a request line (RFC 9112 §2.2 asks for at least one). */
export const LEADING_EMPTY_LINES_MAX = 1;

/** Bytes of pipelined requests held for one client while an answer is under way; then reading pauses. */
export const PIPELINED_BYTES_MAX = 65_536;

/** Request bytes read and dropped so that the client can see our answer before the close. */
export const LINGER_BYTES_MAX = 1_048_576;
/** How long that may take. */
export const LINGER_MS = 2_000;

/**
 * A request that may not be repeated only takes a pooled connection used this recently: the older
 * the connection, the likelier the target is closing it at this moment (RFC 9112 §9.3.1).
 */
export const UNREPEATABLE_REUSE_MS = 1_000;

/** Connections opened to each endpoint of a color while its table is prepared. */
export const PRECONNECT_COUNT = 1;
/** Prepared counts as done after this long even if a target does not accept: a forced switch must go through. */
export const PRECONNECT_MS = 1_000;

/** Times one request is sent again (connect failure or stale connection). */
export const RETRIES_MAX = 1;

/** Step of the coarse timers. Timeouts end at most two steps late, never early. */
export const TICK_MS = 100;

/**
 * Answers up to this size are written with their head as one string: one system call, and the
 * string goes through a 16 KiB stack buffer inside Node without a heap allocation.
 */
export const ONE_WRITE_BYTES_MAX = 16_000;

/**
 * Read buffer of an upstream connection; untouched pages cost no memory. At 128 KiB, 64 KiB answers
 * cost 0.67 × nginx (0.82 with half of it), 1 MiB answers 0.56 (0.69); 256 KiB adds nothing.
 */
export const UPSTREAM_READ_BYTES = 131_072;

/** Read buffer that all client connections of a worker share. */
export const CLIENT_READ_BYTES = 65_536;

/** Read buffer of one large upload, for as long as it lasts. */
export const UPLOAD_READ_BYTES = 131_072;

/** Room around the area an upstream connection reads into: a chunk size before, a last chunk behind. */
export const READ_MARGIN_BYTES = 32;

/** At a stop a connection may be idle for this long: who was answered just now may have asked again. */
export const STOP_IDLE_MS = 1_000;

/** A tunnel or event stream that shall close may take this long until it is between two messages. */
export const PLACE_TO_CLOSE_MS = 5_000;

/** From our Close frame to the end of the connection: the round trip of a slow phone, twice. */
export const GOODBYE_MS = 3_000;

/** So much silence of a compressed event stream counts as the end of an event. */
export const ENCODED_SILENCE_MS = 500;
