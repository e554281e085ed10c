// Every bound of the control plane, with its unit and reason. Those that a client of the admin API
// meets are in src/api/api-limits.ts.

/** Switches that may wait for the one that runs; more are told to come back. */
export const SWITCH_WAITERS_MAX = 16;

/** Faults of a configuration that an answer and the log hold; `turnout config check` has all. */
export const RELOAD_FAULTS_MAX = 20;
/** A look at a file costs microseconds; a change comes into force after two looks alike. */
export const CONFIG_LOOK_EVERY_MS = 1_000;
/** After a configuration was refused for a reason that passes, such as a drain. */
export const CONFIG_RETRY_MS = 2_000;

/** Workers answer in single milliseconds; 5 s is a worker that hangs or keeps crashing. */
export const PREPARE_TIMEOUT_MS = 5_000;

/** How often a store is asked what became of a change, when it did not say so at once. */
export const COMMIT_ASK_EVERY_MS = 500;

/** From the birth of a worker to its open socket, at start. */
export const LISTEN_TIMEOUT_MS = 10_000;

/** First wait after a second crash; doubles with each crash that follows. */
export const RESTART_BACKOFF_MIN_MS = 100;
export const RESTART_BACKOFF_MAX_MS = 5_000;

/** A worker that lived this long has earned an immediate replacement again. */
export const RESTART_BACKOFF_RESET_MS = 30_000;

/** What a worker gets beyond its stop deadline before its thread is ended. */
export const STOP_GRACE_MS = 1_000;

/**
 * Young generation of a worker's heap. Small keeps idle memory down; too small makes
 * short-lived objects of slow requests survive into the old generation.
 */
export const WORKER_YOUNG_GENERATION_MIB = 16;

/** Deployments of a service that can be gone back to; those in use are kept beside. */
export const DEPLOYMENTS_KEPT = 20;
/** Releases of a service that are locked out at the same time; the oldest lock-out ends. */
export const LOCK_OUTS_MAX = 200;
/** Kept deployments of a service that a preview link may lead to at the same time. */
export const PREVIEWED_MAX = 4;

/** Switches kept in the store; the oldest go first. Some 2 MB. */
export const HISTORY_ROWS_MAX = 10_000;
/** Switches of a service that its status tells of: this one, the one before, and why that was. */
export const STATUS_SWITCHES_MAX = 3;

/**
 * Pause after a commit before the journal of the store is written back and its copy renewed. A burst makes one copy, and a
 * commit seldom meets one, which would make it wait for the disk twice.
 */
export const STORE_COPY_DELAY_MS = 2_000;

/** How often it is looked whether the files of the store are still in their place: four calls to the system. */
export const STORE_LOOK_EVERY_MS = 1_000;

/** Until a target has its first verdict it is asked this many times as often. */
export const PROBE_HURRY_FACTOR = 4;
export const PROBE_HURRY_MIN_MS = 100;
/** Part of an interval by which probes are spread, so that they never march in step. */
export const PROBE_JITTER_SHARE = 0.1;
/** Of a probe's answer only this much is read. */
export const PROBE_BODY_BYTES_MAX = 65_536;
/** A target over TLS 1.3 that refuses our certificate says so within this time, or a probe without a request misses it. */
export const PROBE_ADMISSION_MS = 500;

/** Head of a probe's answer. */
export const PROBE_HEAD_BYTES_MAX = 16_384;

/** How long a switch or rollback waits for its targets to answer once more. */
export const SPOT_CHECK_MS = 1_000;
/** An answer that is as new as this counts: a target that was well then is not asked again. */
export const SPOT_ANSWER_KEPT_MS = 200;
/** Targets that are asked at once while a switch or rollback waits; a color has up to 2,048. */
export const SPOT_PROBES_MAX = 64;

/** How often it is looked whether a color is down; checks that change are seen at once. */
export const FAILOVER_LOOK_MS = 250;
/** Connections to a target that failed in a row; with a failed check, the target counts as down. */
export const FAILOVER_CONNECT_FAILURES = 3;
/** After a failover that could not be carried out, until it is tried again. */
export const FAILOVER_RETRY_MS = 5_000;
/** Targets that the reason of a failover or an outage names; the rest is counted. */
export const TARGETS_NAMED_MAX = 5;

/** Admin API: a switch needs 100 bytes. */
export const ADMIN_BODY_BYTES_MAX = 65_536;
export const ADMIN_HEAD_BYTES_MAX = 16_384;
/** Operators, scrapers and probes on this machine; connections from elsewhere do not take their places. */
export const ADMIN_CONNECTIONS_LOCAL_MAX = 128;
/** Those from anywhere else. */
export const ADMIN_CONNECTIONS_OTHERS_MAX = 128;
/** From the first byte of an admin request to its last; for the TLS handshake as well. */
export const ADMIN_REQUEST_TIMEOUT_MS = 10_000;
export const ADMIN_KEEP_ALIVE_TIMEOUT_MS = 60_000;
/** From the end of an answer to the moment when the system has taken it: half a megabyte of metrics. */
export const ADMIN_ANSWER_TIMEOUT_MS = 30_000;
/** How often it is looked which connections have had their time. */
export const ADMIN_LOOK_EVERY_MS = 1_000;
/** How often the log says that connections are closed for others. */
export const ADMIN_CLOSED_TOLD_EVERY_MS = 60_000;
/** For a client to read why its connection ends. */
export const ADMIN_GOODBYE_MS = 1_000;

/** The latest entries of the audit log, which stay. Some 20 MB, and a year of deploys. */
export const AUDIT_ROWS_KEPT = 50_000;
/** Entries beyond those, which are then trimmed together: one entry tells of them all. Some 10 ms. */
export const AUDIT_TRIM_ROWS = 500;
/** Of a request body in the audit log. */
export const AUDIT_REQUEST_CHARS_MAX = 2_000;
/** Of the detail of a refusal in the audit log. */
export const AUDIT_DETAIL_CHARS_MAX = 500;
/** Of method and path in the audit log. */
export const AUDIT_ACTION_CHARS_MAX = 200;
/** Entries that are checked in one go: some 10 ms, then others have their turn. */
export const AUDIT_CHECK_ROWS = 2_000;
/** Refusals alike that get an entry of their own; more of a minute share one that counts them. */
export const AUDIT_ALIKE_MAX = 10;
export const AUDIT_ALIKE_WINDOW_MS = 60_000;
/** Kinds of refusals that are counted each; more than these count as one kind. */
export const AUDIT_ALIKE_KINDS_MAX = 1_000;
/**
 * Calls of one actor that changed nothing and get an entry each, at once and one more after
 * this long; those beyond share one entry a minute. So no actor fills the log within two weeks.
 */
export const AUDIT_IDLE_CALLS_MAX = 2_000;
export const AUDIT_IDLE_CALL_EVERY_MS = 60_000;
/**
 * Changes of one token or certificate, at once and one more after this long; then it is told to
 * wait. Each has an entry that must not be lost, so this is what keeps the others in the log.
 */
export const CHANGES_AT_ONCE_MAX = 1_000;
export const CHANGE_EVERY_MS = 30_000;
/** Actors that are counted at once: every token, and the certificates that are named. */
export const ACTORS_MAX = 2_000;
/** Entries on their way to a store that takes them: more than come in one turn. */
export const AUDIT_UNDER_WAY_MAX = 10_000;
/** Entries that wait for a store that takes none, as while an upgrade is under way. */
export const AUDIT_WAITING_MAX = 1_000;

/** How long the answer to a call with a key is given again. */
export const IDEMPOTENCY_LIFE_MS = 24 * 3_600_000;
/** Answers that are kept; the oldest go first. Five a minute, all day long. */
export const IDEMPOTENCY_ROWS_MAX = 10_000;

/** Tokens that are known; each listed, each in memory. */
export const TOKENS_MAX = 1_000;
/** How long a token is still listed that was revoked or has expired. */
export const TOKEN_DEAD_LIFE_MS = 30 * 86_400_000;
/** How often it is stored that a token was used. */
export const TOKEN_TOUCH_EVERY_MS = 60_000;
/** For so long a token that was proven is believed without another hash. */
export const TOKEN_PROVEN_MS = 300_000;
export const TOKENS_PROVEN_MAX = 1_000;
/** scrypt in the thread pool, of which DNS and files need the other two threads. */
export const HASHES_AT_ONCE = 2;
/** Calls that wait for one; each takes some 50 ms. */
export const HASHES_WAITING_MAX = 32;

/** Wrong credentials from one network in a window; then it is told to wait. */
export const AUTH_FAILURES_MAX = 10;
export const AUTH_FAILURES_WINDOW_MS = 60_000;
/** Networks that are counted at once; the oldest is forgotten first. */
export const AUTH_NETWORKS_MAX = 4_096;

/** How often the files of certificates are looked at; a change counts after two looks alike. */
export const CERTIFICATES_LOOK_EVERY_MS = 1_000;
/**
 * Looks for which a changed file may be wrong before that is told: certificate and key are replaced
 * one after the other, by hand too.
 */
export const CERTIFICATE_PATIENCE_LOOKS = 10;
/** Looks until a file that was told to be wrong is read again though it seems the same. */
export const CERTIFICATE_RETRY_LOOKS = 60;
/** All authorities that browsers know are 0.2 MB. */
export const CERTIFICATE_FILE_BYTES_MAX = 1_048_576;
/** Chains have two or three certificates. OpenSSL's clients follow ten. */
export const CHAIN_CERTIFICATES_MAX = 10;
/** Of one file of authorities. */
export const AUTHORITIES_MAX = 1_000;
/** How long before its end a certificate is told of. */
export const CERTIFICATE_WARNING_MS = 14 * 86_400_000;
/** Certificates made for less are replaced later: they are told of in the last quarter of their life. */
export const SHORT_CERTIFICATE_MS = 10 * 86_400_000;

/**
 * Until every worker goes by new certificates: each takes some 4 ms to make ready, beside the traffic.
 */
export const CERTIFY_TIMEOUT_MS = 30_000;

/** A stolen key of session tickets opens what was recorded within this time. */
export const TICKET_KEYS_LIFE_MS = 12 * 3_600_000;

/** How often a switch that lets requests wait looks whether the others have ended. */
export const QUIET_POLL_MS = 2;

/** What still runs is named while a change waits for it; at most so many, the oldest first. */
export const RUNNING_NAMED_MAX = 20;
/** How often those names are asked for anew: people read them. */
export const RUNNING_NAMED_EVERY_MS = 500;
/** How often a call that waits for the end of what runs looks; an operator reads its answer. */
export const RUNNING_LOOK_MS = 20;
/** Calls that wait so at once; more are answered without a wait. */
export const RUNNING_WAITERS_MAX = 64;
/** A worker that is busy for longer is left out of the names. */
export const RUNNING_ANSWER_MS = 500;

/**
 * A drain waits this long for a session that was given before it and has not come back yet: longer than
 * a page takes to load, far shorter than a session lasts. Most of them are no sessions.
 */
export const NEWCOMER_GRACE_MS = 60_000;

/** How often drains are looked at; a second is soon enough to stop a container. */
export const DRAIN_POLL_MS = 500;
/** Drains that have ended and are still told of, per service. */
export const ENDED_DRAINS_MAX = 10;
/** Calls that wait for a drain at once. */
export const DRAIN_WAITERS_MAX = 64;

/** How often traffic is looked at for the last minute: one bar of a sparkline. */
export const RECENT_EVERY_MS = 1_000;
/** Looks that are kept: the last minute. Some 10 KB for each release that is known. */
export const RECENT_SLOTS = 60;
/** A longer gap between two looks is a machine that slept; what was before says nothing now. */
export const RECENT_GAP_MAX_MS = 10_000;

/** A new signing key after this long; an old one is believed for as long once more. */
export const KEY_LIFE_MS = 7 * 86_400_000;
/** Every worker knows a key for this long before one of them signs with it. */
export const KEY_SPREAD_MS = 10_000;

/** From the start of a successor to its word that it serves; a start takes half a second. */
export const SUCCESSOR_READY_MS = 30_000;
/** How often that process says how many connections it still finishes. */
export const LEFT_EVERY_MS = 500;

/** From the end of an upgrade to the end of the old admin API: the answer has to get out. */
export const HANDOVER_ANSWER_MS = 200;

/** Addresses of one name that are used; a color with more of them deserves a load balancer. */
export const ADDRESSES_PER_NAME_MAX = 32;
/** Places of one lookup that are looked at; a DNS message has room for 4,000, and SRV multiplies them. */
export const PLACES_TAKEN_MAX = 256;
/** Places that a problem names; the rest is counted. */
export const PLACES_NAMED_MAX = 5;
/** How long a registration looks where its targets lead; what is not known by then is left out. */
export const PLACES_WITHIN_MS = 1_000;
/** Links to a socket that does not exist yet; the system follows 40 (path_resolution(7)). */
export const LINKS_FOLLOWED_MAX = 40;
/** From the question to the end of an answer, SRV records and their hosts together. */
export const LOOKUP_TIMEOUT_MS = 5_000;
/** How long a start or a new table waits for names that were never looked up. */
export const FIRST_LOOKUP_MS = 2_000;
/** A name without an address is asked for at first after this long, then ever less often. */
export const LOOKUP_HURRY_MS = 1_000;
/** Between two lookups of a name, also where every request finds its address dead. */
export const NAME_REST_MS = 1_000;
/** How often it is looked whether workers fail to connect to addresses of names. */
export const REFUSALS_LOOK_MS = 250;
/** How often it is looked how endpoints did with their requests: one that fails all is found within two looks. */
export const EJECTIONS_LOOK_MS = 500;
/** Requests of an endpoint that stand for what it does at the moment. */
export const EJECTION_MEMORY = 32;
/** A run of failures that would come about by chance at most this often is none. */
export const EJECTION_CHANCE_MAX = 1e-4;
/** A switch waits this long for names to be looked up once more; of its second, probes get the rest. */
export const REFRESH_MS = 500;
/** Tables that may come into force; each change has one at a time, and most are over at once. */
export const PREPARED_TABLES_MAX = 8;
/** Changes of names within this time reach the workers as one. */
export const NAMES_SETTLE_MS = 100;
/** Part of an interval by which lookups are spread, so that names are not asked for all at once. */
export const LOOKUP_JITTER_SHARE = 0.1;
/** The system looks up in threads that files and hashes need too: Node has four. */
export const SYSTEM_LOOKUPS_MAX = 2;
/** Questions that DNS servers named in the settings have to answer at once. */
export const SERVER_LOOKUPS_MAX = 16;
/** Questions that wait for their turn; every target once. */
export const LOOKUPS_WAITING_MAX = 1_024;
/** Wait for one DNS server, and how often it is asked; the wait doubles. */
export const DNS_TRY_MS = 1_000;
export const DNS_TRIES = 2;

/** Part of `stop.deadline` for which idle connections stay in a process that has been replaced. */
export const IDLE_SHARE = 0.8;

/**
 * What is normal for a release: its last 20 minutes. Half as long, and 20 % of errors at one request a
 * second are found after 119 s instead of 92; longer, and normal is what it was at another time of day.
 */
export const BASELINE_WINDOW_MS = 10_000;
export const BASELINE_WINDOWS = 120;
/** Fewer requests than these say nothing about what is normal. */
export const BASELINE_JUDGED_MIN = 500;
/** Rollouts that are over, of all services together. */
export const ROLLOUTS_KEPT = 200;
/** Events that are kept for sinks that are behind, and for what is told of a rollout. */
export const EVENTS_KEPT = 10_000;
/** Events are trimmed this many at a time. */
export const EVENT_TRIM_ROWS = 500;

/** How often it is looked whether there are new events, beside each time that one is known to be. */
export const EVENT_LOOK_EVERY_MS = 1_000;
/** Events that are read from the store in one go. */
export const EVENTS_AT_ONCE = 500;
/** One try to deliver a notification: a receiver that needs longer should answer first and work then. */
export const SINK_TRY_MS = 10_000;
/** Waits between the tries to deliver one event: eight tries within fifteen minutes. */
export const SINK_WAITS_MS: readonly number[] = [
  ...([5_000, 15_000, 30_000, 60_000, 120_000, 240_000, 430_000] as const),
];
/** An event that has waited this long is tried once more, and then given up. */
export const SINK_EVENT_LIFE_MS = 900_000;
/** The longest wait that a receiver can ask for. */
export const SINK_RETRY_AFTER_MAX_MS = 300_000;
/** After an event that its receiver refused for good, until the next one is sent. */
export const SINK_PAUSE_MS = 1_000;
/** Events that wait for one receiver; beyond, the oldest are dropped. Some 1 MB, shared by all receivers. */
export const SINK_WAITING_MAX = 1_000;
/** After a stop, older events are delivered no more. */
export const SINK_EVENT_AGE_MAX_MS = 24 * 3_600_000;
/** Events that say nothing to a receiver, until its position is written down once more. */
export const SINK_POSITION_EVERY = 100;
/** Deliveries that were given up and are still listed. */
export const FAILED_DELIVERIES_MAX = 100;

/** Orders for later that are over and still listed. */
export const ORDERS_KEPT = 100;
/** How often rollouts look. */
export const ROLLOUT_LOOK_MS = 1_000;
/** What lies longer between two looks was not looked at: it is no time of observation. */
export const ROLLOUT_BLIND_MS = 10_000;
/** How often observed time is stored; as much may be observed twice after a crash. */
export const ROLLOUT_SAVE_MS = 5_000;

/** Streams of events that are open at once: over loopback or a Unix socket, and from anywhere else. */
export const STREAMS_LOCAL_MAX = 32;
export const STREAMS_OTHERS_MAX = 32;
/** Of one stream, not taken by its reader; one that is slower is ended. */
export const STREAM_UNSENT_BYTES_MAX = 262_144;
/** A sign of life on a quiet stream, and when its caller is looked at again. */
export const STREAM_COMMENT_MS = 15_000;
/** After which a reader should come back; sooner after an upgrade, since the next process is there. */
export const STREAM_RETRY_MS = 2_000;
export const STREAM_RETRY_SOON_MS = 200;
/** Frames that a reader can catch up with after a gap. */
export const STREAM_FRAMES_KEPT = 1_000;
/** How often the numbers of now are told while a reader listens. */
export const TICK_EVERY_MS = 1_000;
/** Changes of the table within this time are told as one. */
export const TABLE_NEWS_MS = 200;
/** A target that flaps is told of once in this time, and then how it is. */
export const HEALTH_NEWS_MS = 10_000;
/** Targets of one service that are told of one by one within that time; the rest is counted. */
export const HEALTH_NEWS_MAX = 20;

/** One point of the last hour, and how many are kept. Some 100 KB for a service. */
export const SERIES_EVERY_MS = 10_000;
export const SERIES_POINTS = 360;
/** How often the series of rollouts are written: one write, however many rollouts run. */
export const ROLLOUT_POINT_MS = 10_000;
/** The last rollouts that are over and whose series is kept. Some 200 KB each. */
export const ROLLOUT_SERIES_KEPT = 20;
/** Points of a series at which those before its last hour are put together. */
export const ROLLOUT_POINTS_MAX = 720;
/** The last hour of a series stays as it was measured, a point each ten seconds. */
export const ROLLOUT_POINTS_FINE = 360;
/** What is left of the time before that, so that it is put together once in half an hour. */
export const ROLLOUT_POINTS_COARSE = 180;

/** Calls that wait for a switch at once: with the streams, less than the places of the admin API. */
export const ACTIVE_WAITERS_MAX = 64;
/** Callers that wait for the next event of a rollout, of all together. */
export const ROLLOUT_WAITERS_MAX = 256;
