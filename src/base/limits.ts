// Bounds of the data plane that an operator should not have to set, each with its reason. What can
// be set has a row in config/settings/; a bound that one file alone needs stands in that file.

/**
 * Informational responses (1xx) relayed for one request within INFORMATIONAL_MS. Real ones come in ones
 * and twos, or one by one for as long as the work lasts (102).
 */
export const INFORMATIONAL_MAX = 16;
export const INFORMATIONAL_MS = 1_000;

/** Bytes of chunk extensions in one body; they are dropped, so few are enough (RFC 9112 §7.1.1). */
export const CHUNK_EXTENSION_BYTES_MAX = 4_096;

/** Bytes of a trailer section, which is parsed whole. */
export const TRAILER_BYTES_MAX = 16_384;
/** Lines of a trailer section; checksums and signatures need a few. */
export const TRAILER_FIELDS_MAX = 64;

/** From accept to the end of a PROXY header and of the handshake of TLS: a few round trips. */
export const HANDSHAKE_MS = 10_000;
/** Connections of one worker that have not come so far: a crowd of them must not keep others out. */
export const HANDSHAKES_MAX = 512;

/** Empty lines ignored before a request line (RFC 9112 §2.2 asks for at least one). */
export const LEADING_EMPTY_LINES_MAX = 1;

/** Bytes of pipelined requests kept for one client during a response; then reading pauses. */
export const PIPELINED_BYTES_MAX = 65_536;

/**
 * After our last byte, what the peer still sends is dropped for at most this long: a peer that reads
 * only once it has written all still gets our last bytes before the close. The figures are nginx's.
 */
export const LINGER_MS = 30_000;
/** The same from the last byte that came. */
export const LINGER_SILENCE_MS = 5_000;
/** The same for all of it once a stop has begun. */
export const LINGER_AT_STOP_MS = 2_000;

/** A client that has ended its side, and waits for its response, is looked after this often. */
export const LOOK_AFTER_MS = 1_000;
/** An end of its side that comes so soon after the request belongs to it. */
export const HALF_CLOSE_WITHIN_MS = 200;
/** One that came later counts as gone after so many looks without a byte for it. */
export const HALF_CLOSED_LOOKS = 5;

/**
 * Where a Unix socket would make a cut response look whole, it stays open and silent for this long
 * unless the client closes it: longer than clients usually wait for more.
 */
export const UNSEEN_CUT_MS = 300_000;

/** Bytes of a request that are read and dropped after its response, to keep the connection. */
export const REST_OF_REQUEST_BYTES_MAX = 1_048_576;
/** How long the client may take to send the rest. */
export const REST_OF_REQUEST_MS = 2_000;

/**
 * A request that may not be repeated only takes a pooled connection used this recently: the older
 * the connection, the likelier the target is closing it at this moment (RFC 9112 §9.3.1).
 */
export const UNREPEATABLE_REUSE_MS = 1_000;

/**
 * A client answers the challenge of a login at once, a round trip away: a person has typed the password
 * before. One that does not may lose its target connection to others that wait.
 */
export const LOGIN_STEP_MS = 5_000;

/** Connections that a worker opens to each endpoint of an active color while it prepares a table. */
export const PRECONNECT_COUNT = 1;
/** Prepared counts as done after this long even if a target does not accept: a forced switch must go through. */
export const PRECONNECT_MS = 1_000;

/** Times one request is sent again, for whatever reason. */
export const RETRIES_MAX = 1;
/** Second tries because of a status that may come at once, in one worker for one service. */
export const RETRY_BURST = 10;

/**
 * Turnouts that one request may pass: one that comes to another is in a circle. Chains of two or
 * three are built on purpose; what a mark of more digits says is not looked at (http/grammar/hops.ts).
 */
export const HOPS_MAX = 10;

/** Step of the coarse timers. Timeouts end at most two steps late, never early. */
export const TICK_MS = 100;

/**
 * Responses up to this size are written with their head as one string: one system call, and the
 * string goes through a 16 KiB stack buffer inside Node without a heap allocation.
 */
export const ONE_WRITE_BYTES_MAX = 16_000;

/**
 * Read buffer of a connection to a target; untouched pages cost no memory. At 128 KiB, responses
 * of 64 KiB and of 1 MiB cost about a fifth less than with half of it; 256 KiB adds nothing.
 */
export const TARGET_READ_BYTES = 131_072;

/** Large read buffers that a worker keeps for the next bursts of quiet connections: 2 MiB. */
export const QUIET_BUFFERS_KEPT = 16;

/** Read buffer that all client connections of a worker share, large uploads excepted. */
export const CLIENT_READ_BYTES = 65_536;

/** Read buffer of one large upload, for as long as it lasts. */
export const UPLOAD_READ_BYTES = 131_072;

/**
 * Room around the area a target is read into: before it for what our head or a chunk size is longer
 * than theirs, behind it for a last chunk. A head that does not fit costs a copy of all that was read.
 */
export const READ_MARGIN_BYTES = 1_024;

/** At a stop a connection may be idle for this long: its next request may be on the way already. */
export const STOP_IDLE_MS = 1_000;

/** Part of the time of a stop over which tunnels and event streams are closed in order. */
export const GENTLE_SHARE = 0.8;

/** A tunnel or event stream that shall close may take this long until it is between two messages. */
export const PLACE_TO_CLOSE_MS = 5_000;

/** From our Close frame to the end of the connection: the round trip of a slow phone, twice. */
export const GOODBYE_MS = 3_000;

/** So much silence of a compressed event stream counts as the end of an event. */
export const ENCODED_SILENCE_MS = 500;
