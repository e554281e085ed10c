// A list whose members know their neighbors, so that one is put in or taken out at the same small cost,
// however long the list is, and without an allocation.

export interface Linked<T> {
  previous: T | undefined;
  next: T | undefined;
}

export class LinkedList<T extends Linked<T>> {
  first: T | undefined = undefined;
  #last: T | undefined = undefined;

  append(member: T): void {
    member.previous = this.#last;
    member.next = undefined;
    if (this.#last === undefined) this.first = member;
    else this.#last.next = member;
    this.#last = member;
  }

  /** `member` is in this list. */
  remove(member: T): void {
    const { previous, next } = member;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    member.previous = member.next = undefined;
  }
}
