// Something that is made of files, such as a certificate with its key, and follows them: what is good
// replaces what was, what is not changes nothing and is told once. Counts looks instead of time, and
// knows nothing of certificates.

import { CERTIFICATE_PATIENCE_LOOKS, CERTIFICATE_RETRY_LOOKS } from '../base/control-limits.ts';
import { fileIdentity } from '../base/file-identity.ts';
import { messageOf } from '../base/problems.ts';

export interface FilesToFollow<T> {
  readonly paths: readonly string[];
  /** Reads and checks them; rejects with what is wrong, as one sentence. */
  readonly read: () => Promise<T>;
  readonly isSame: (one: T, other: T) => boolean;
}

/** What a look has found: the same, another good value, a problem, or the end of one. */
export type Finding = 'same' | 'changed' | 'refused' | 'mended';

export class FollowedFiles<T> {
  readonly #files: FilesToFollow<T>;
  #current: T;
  #problem = '';
  /** As the files were at the last look. */
  #seen: string;
  /** As they were when they were last found good, or told to be wrong. */
  #judged: string;
  #looksWhileWrong = 0;

  private constructor(files: FilesToFollow<T>, first: T, identity: string) {
    this.#files = files;
    this.#current = first;
    this.#seen = identity;
    this.#judged = identity;
  }

  /**
   * Reads for the first time, with `readFirst` where other rules hold then; rejects as that does.
   */
  static async open<T>(files: FilesToFollow<T>, readFirst = files.read): Promise<FollowedFiles<T>> {
    // Before it is read: what changes in between is seen at the first look.
    const identity = await identityOf(files.paths);
    return new FollowedFiles(files, await readFirst(), identity);
  }

  get current(): T {
    return this.#current;
  }

  /** Why the files as they are now are not used; empty: they are. */
  get problem(): string {
    return this.#problem;
  }

  get paths(): readonly string[] {
    return this.#files.paths;
  }

  /**
   * Looks once. `isAsked`: an operator waits for the answer, so nothing has time to become right.
   * Looks must not overlap. Never rejects.
   */
  async look(isAsked: boolean): Promise<Finding> {
    const identity = await identityOf(this.#files.paths);
    const isWritten = identity === this.#seen;
    if (!isWritten && this.#seen === this.#judged) this.#looksWhileWrong = 0;
    this.#seen = identity;
    const isJudged = identity === this.#judged && !this.#isDueAgain(isAsked);
    if (isJudged || !(isWritten || isAsked)) return 'same';
    try {
      return this.#take(await this.#files.read(), identity);
    } catch (error) {
      return this.#refuse(messageOf(error), identity, isAsked);
    }
  }

  #take(next: T, identity: string): Finding {
    const wasWrong = this.#problem !== '';
    this.#judged = identity;
    this.#problem = '';
    this.#looksWhileWrong = 0;
    const isSame = this.#files.isSame(next, this.#current);
    this.#current = next;
    if (!isSame) return 'changed';
    return wasWrong ? 'mended' : 'same';
  }

  #refuse(problem: string, identity: string, isAsked: boolean): Finding {
    this.#looksWhileWrong++;
    const isPatient = !isAsked && this.#looksWhileWrong < CERTIFICATE_PATIENCE_LOOKS;
    if (isPatient) return 'same';
    this.#judged = identity;
    this.#looksWhileWrong = 0;
    if (problem === this.#problem) return 'same';
    this.#problem = problem;
    return 'refused';
  }

  /** What is wrong may become right by itself: a moment comes, a file system answers again. */
  #isDueAgain(isAsked: boolean): boolean {
    if (this.#problem === '') return false;
    this.#looksWhileWrong++;
    return isAsked || this.#looksWhileWrong >= CERTIFICATE_RETRY_LOOKS;
  }
}

async function identityOf(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(fileIdentity))).join('\n');
}
