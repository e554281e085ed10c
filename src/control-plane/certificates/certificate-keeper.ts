// What the listeners with TLS present, and the one place that decides on it: certificates from files
// and from an ACME authority, what that authority comes to see, authorities of clients, and the keys of
// session tickets. Each change makes one whole set, which the workers are given. Knows no listener but
// by its name, and not how a set gets to the workers.

import {
  NO_CERTIFICATES,
  type AcmeChallenge,
  type CertificateSet,
} from '../../contract/certificates.ts';
import type { UpstreamSource } from '../../config/settings/built/build-upstream.ts';
import type { TargetTls } from '../../contract/target-tls.ts';
import { background, type Log } from '../base/log.ts';
import { messageOf, NamedFilesError, OperatorError } from '../base/problems.ts';
import type { Timers } from '../base/timers.ts';
import type { TlsSource } from '../../config/settings/built/build-listeners.ts';
import { RELOAD_FAULTS_MAX } from '../base/control-limits.ts';
import {
  CertificateFiles,
  CertificateFaults,
  idOf,
  type FileReport,
  type ReadFiles,
} from './certificate-files.ts';
import { bothOf, oddities, setOf, type DoorParts } from './certificate-set.ts';
import { checkPair, type CheckedPair } from './checked-pair.ts';
import { readPem } from './pem-text.ts';
import { NO_FILES, NO_UPSTREAMS, UpstreamFiles, type KnownUpstreams } from './upstream-files.ts';
import { TicketKeys, type HandedTickets } from './ticket-keys.ts';

/** What an ACME authority has issued, or stands in for that until then. */
export interface GivenCertificate {
  readonly domain: string;
  /** It stands in: no client believes it, so its end is not told. */
  readonly isSelfSigned: boolean;
  /** PEM, its own first. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
}

interface Issued extends CheckedPair {
  /** As ACME gave it. */
  readonly given: GivenCertificate;
}

/** Gives a set to every worker, now and later; resolves when each goes by it, or by a later one. */
type Spread = (set: CertificateSet) => Promise<void>;

interface CertificateKeeperParts {
  readonly log: Log;
  /** Since the epoch. */
  readonly nowMs: () => number;
  readonly timers: Timers;
}

/** Certificates of a configuration that is not in force yet; the workers have them already. */
export interface PreparedCertificates {
  /** What its listeners present. */
  readonly certificates: CertificateSet['certificates'];
  /** It is in force; `settled`: what only the one before needed can be forgotten. */
  use(settled: Promise<void>): void;
  /** It will not be. */
  close(): Promise<void>;
}

/** A configuration and what its files hold. */
interface Known {
  readonly config: readonly TlsSource[];
  readonly read: ReadFiles;
  readonly upstreams: KnownUpstreams;
}

const NOTHING_KNOWN: Known = { config: [], read: NO_FILES, upstreams: NO_UPSTREAMS };

export class CertificateKeeper {
  readonly #parts: CertificateKeeperParts;
  readonly #files: CertificateFiles;
  readonly #tickets: TicketKeys;
  readonly #upstreams: UpstreamFiles;
  #known: Known = NOTHING_KNOWN;
  /** What listeners may need beside: of reloads that are under way, or not settled yet. */
  readonly #beside = new Set<Known>();
  #obtained: readonly Issued[] = [];
  #challenges: readonly AcmeChallenge[] = [];
  #set: CertificateSet = NO_CERTIFICATES;
  readonly #toldOddities = new Set<string>();
  #stopRotating: () => void = () => {};
  /** Undefined: not started. */
  #give: Spread | undefined;

  constructor(parts: CertificateKeeperParts) {
    const { log, nowMs } = parts;
    this.#parts = parts;
    this.#tickets = new TicketKeys(nowMs);
    const onChange = async (): Promise<void> => this.#spread();
    this.#files = new CertificateFiles({ log, nowMs, mayLackHosts: false, onChange });
    this.#upstreams = new UpstreamFiles({ log, nowMs, onChange });
  }

  /** The newest one: workers are born with it. */
  get set(): CertificateSet {
    return this.#set;
  }

  /** How the control plane itself speaks TLS to targets. */
  get targetTls(): TargetTls {
    return this.#upstreams.targetTls;
  }

  /** What a new process gets through the channel of an upgrade; it is secret. */
  get bequest(): HandedTickets {
    return this.#tickets.handed;
  }

  /**
   * Reads what a start needs. Throws NamedFilesError with all problems. A certificate that has expired is
   * served and warned of, as it is by a process that runs: not to start would take all other hosts
   * away, too.
   */
  async load(
    config: readonly TlsSource[],
    upstreams: readonly UpstreamSource[] = [],
  ): Promise<void> {
    try {
      this.#takeOver(await this.#read(config, upstreams, false));
      this.#renew();
    } catch (error) {
      if (!(error instanceof CertificateFaults)) throw error;
      throw new NamedFilesError('certificates', error.problems, error);
    }
  }

  /**
   * Begins to follow the files, to replace the keys of tickets, and to give sets to the workers, also to
   * those that are not born yet.
   */
  start(spread: Spread): void {
    this.#give = spread;
    this.#files.start();
    this.#upstreams.start();
    this.#rotateLater();
    this.#spreadLater('certificates');
  }

  stop(): void {
    this.#files.stop();
    this.#upstreams.stop();
    this.#stopRotating();
  }

  /**
   * Looks at all files because an operator has asked for it; resolves with what is wrong, once the
   * workers have what is new. Never rejects.
   */
  async look(): Promise<string[]> {
    const late: string[] = [];
    const looks = [this.#files.look(true), this.#upstreams.look()];
    for (const look of looks) {
      await look.catch((error: unknown) => late.push(messageOf(error)));
    }
    return [...this.report().flatMap(({ problem }) => (problem === '' ? [] : problem)), ...late];
  }

  /** Resolves with what would be presented, or rejects as `prepare` would; changes nothing. */
  async check(
    config: readonly TlsSource[],
    upstreams: readonly UpstreamSource[] = [],
  ): Promise<Pick<PreparedCertificates, 'certificates'>> {
    return setOf(this.#doors(await this.#read(config, upstreams, true).catch(refuse)));
  }

  /**
   * Reads what another configuration needs beside what is in use, and gives it to the workers in
   * addition; resolves when each has it. Rejects with `certificate-invalid` and all problems, or as `spread`
   * does; then all is as it was. What is in use already stays so, whatever lies in its files now.
   */
  async prepare(
    config: readonly TlsSource[],
    upstreams: readonly UpstreamSource[] = [],
  ): Promise<PreparedCertificates> {
    const next = await this.#read(config, upstreams, true).catch(refuse);
    this.#beside.add(next);
    const close = async (): Promise<void> => {
      this.#beside.delete(next);
      await this.#spread();
    };
    try {
      await this.#spread();
    } catch (error) {
      background(close(), this.#parts.log, 'taking back certificates');
      throw error;
    }
    const use = (settled: Promise<void>): void => {
      const left = this.#known;
      this.#beside.delete(next);
      this.#takeOver(next);
      // Until then a listener that is gone may still be open somewhere.
      this.#beside.add(left);
      this.#spreadLater('certificates of a new configuration');
      const forget = async (): Promise<void> => {
        await settled;
        this.#beside.delete(left);
        await this.#spread();
      };
      background(forget(), this.#parts.log, 'forgetting certificates');
    };
    return { ...setOf(this.#doors(next)), use, close };
  }

  /**
   * Presents these, instead of all that the authority has issued before. Resolves when every worker
   * does. One that cannot be used is left out and told.
   */
  async setObtained(obtained: readonly GivenCertificate[]): Promise<void> {
    this.#obtained = obtained.flatMap((one) => this.#checked(one) ?? []);
    this.#tellOddities();
    await this.#spread();
  }

  /** Returns why a certificate would be left out; undefined: it would not. */
  faultOf(issued: GivenCertificate): string | undefined {
    try {
      checkIssued(issued);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Shows the authority these, instead of others. Resolves when every worker does. */
  async setChallenges(challenges: readonly AcmeChallenge[]): Promise<void> {
    this.#challenges = challenges;
    await this.#spread();
  }

  /** Goes on with the tickets of the process before this one. */
  inherit(tickets: HandedTickets): void {
    if (!this.#tickets.inherit(tickets)) return;
    if (this.#give !== undefined) this.#rotateLater();
    this.#spreadLater('the keys of session tickets');
  }

  /** Returns what is known of each certificate and of each file of authorities. */
  report(): FileReport[] {
    const issued = this.#obtained.flatMap(({ name, certificate, beginsAtMs, endsAtMs, given }) => {
      if (given.isSelfSigned) return [];
      const { names } = certificate;
      return { name, names, source: 'acme', beginsAtMs, endsAtMs, problem: '' };
    });
    return [...this.#files.report(), ...this.#upstreams.report(), ...issued];
  }

  #checked(given: GivenCertificate): Issued | undefined {
    const { domain, chain, key } = given;
    // A check takes some milliseconds, and most of them are those of before.
    const before = this.#obtained.find((one) => one.given.chain === chain && one.given.key === key);
    if (before !== undefined) return { ...before, given };
    try {
      const pair = checkIssued(given);
      return { ...pair, certificate: { ...pair.certificate, source: 'acme' }, given };
    } catch (error) {
      this.#parts.log.error({ domain }, `not used: ${messageOf(error)}`);
      return undefined;
    }
  }

  #takeOver(known: Known): void {
    this.#known = known;
    this.#files.use(known.read);
    this.#upstreams.use(known.upstreams);
    this.#toldOddities.clear();
    this.#tellOddities();
  }

  /** Says each once: a renewal makes none of them new. */
  #tellOddities(): void {
    for (const text of this.#doors(this.#known).flatMap(oddities)) {
      if (this.#toldOddities.has(text)) continue;
      this.#toldOddities.add(text);
      this.#parts.log.warn({}, text);
    }
  }

  /** Makes a set of all that is known. */
  #renew(): CertificateSet {
    let doors = this.#doors(this.#known);
    for (const next of this.#beside) doors = bothOf(doors, this.#doors(next));
    this.#set = {
      version: this.#set.version + 1,
      ...setOf(doors),
      ticketKeys: this.#tickets.keys,
      challenges: this.#challenges,
      upstreams: this.#upstreams.terms([...this.#beside].map(({ upstreams }) => upstreams)),
    };
    return this.#set;
  }

  /** Rejects with CertificateFaults that has all problems. */
  async #read(
    config: readonly TlsSource[],
    sources: readonly UpstreamSource[],
    isStrict: boolean,
  ): Promise<Known> {
    const [own, ofTargets] = await Promise.allSettled([
      this.#files.read(wantedBy(config), { isStrict }),
      this.#upstreams.read(sources, { isStrict }),
    ]);
    if (own.status === 'fulfilled' && ofTargets.status === 'fulfilled') {
      return { config, read: own.value, upstreams: ofTargets.value };
    }
    const faults = [own, ofTargets].flatMap((one) => {
      if (one.status === 'fulfilled') return [];
      if (one.reason instanceof CertificateFaults) return one.reason;
      throw one.reason;
    });
    const problems = faults.flatMap((one) => one.problems);
    throw new CertificateFaults(
      problems,
      faults.flatMap(({ missing }) => missing),
    );
  }

  async #spread(): Promise<void> {
    const set = this.#renew();
    await this.#give?.(set);
  }

  #spreadLater(what: string): void {
    background(this.#spread(), this.#parts.log, what);
  }

  #doors({ config, read }: Known): DoorParts[] {
    return config.map(({ listener, certificates, usesAcme, clientCa }) => ({
      listener,
      certificates: [
        ...certificates.map((paths) => read.pairs.get(idOf(paths))!.current),
        ...(usesAcme ? this.#obtained : []),
      ].map(({ certificate }) => certificate),
      clientAuthorities: clientCa === undefined ? '' : read.authorities.get(clientCa)!.current.text,
    }));
  }

  #rotateLater(): void {
    this.#stopRotating();
    this.#stopRotating = this.#parts.timers.after(this.#tickets.leftMs, () => {
      this.#tickets.replace();
      this.#rotateLater();
      this.#spreadLater('new keys of session tickets');
    });
  }
}

/** Throws CertificateFault. */
function checkIssued({ domain, chain, key }: GivenCertificate): CheckedPair {
  const named = (text: string, what: string) => {
    return { path: `${what} of ${domain} by ACME`, blocks: readPem(text).blocks };
  };
  return checkPair(named(chain, 'the certificate'), named(key, 'the key'));
}

function wantedBy(config: readonly TlsSource[]) {
  return {
    pairs: config.flatMap(({ certificates }) => certificates),
    authorities: config.flatMap(({ clientCa }) => clientCa ?? []),
  };
}

function refuse(error: unknown): never {
  if (!(error instanceof CertificateFaults)) throw error;
  const { problems } = error;
  const [first = ''] = problems;
  const faults = problems.slice(0, RELOAD_FAULTS_MAX);
  throw new OperatorError('certificate-invalid', `nothing has changed: ${first}`, {
    members: { faults },
    cause: error,
  });
}
