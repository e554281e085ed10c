// The end of ws-children.ts that is in the child.

/** Says that the child has started, and with what; then answers each question by `obey`. */
export function answerParent(started: unknown, obey: (ask: never) => unknown): void {
  const answer = async ({ id, ask }: Question): Promise<void> => {
    try {
      process.send!({ id, result: await obey(ask) });
    } catch (error) {
      process.send!({ id, error: String(error) });
    }
  };
  process.on('message', (message) => void answer(message as Question));
  // Without its test the process is not needed.
  process.once('disconnect', () => process.exit());
  process.send!({ id: 0, result: started });
}

interface Question {
  readonly id: number;
  /** Of the type that the child was written for. */
  readonly ask: never;
}

/** Things that are counted by name. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  get total(): number {
    return this.#counts.values().reduce((sum, count) => sum + count, 0);
  }

  toObject(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
