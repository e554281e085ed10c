// Which rollouts have transitions under way, in their turn or waiting for it: no look is taken at them.

export class Busy {
  /** How many of each. */
  readonly #counts = new Map<string, number>();

  begin(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  end(id: string): void {
    const left = this.#counts.get(id)! - 1;
    if (left === 0) this.#counts.delete(id);
    else this.#counts.set(id, left);
  }

  has(id: string): boolean {
    return this.#counts.has(id);
  }
}
