/** Work that is done one after the other, and means nothing on a later connection. */
export class Turns {
  readonly #failed: (error: unknown) => void;
  #now = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** Another with each connection. */
  get now(): number {
    return this.#now;
  }

  /** What was to be done until now is not done any more. */
  next(): void {
    this.#now += 1;
  }

  /** In its order, whatever the connection. Nothing that it waits for may wait for its turn. */
  inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  /** In its order, if the connection is still the same then. */
  enqueue(work: () => Promise<void>): void {
    const turn = this.#now;
    this.inOrder(async () => {
      if (turn === this.#now) await work();
    }).catch(this.#failed);
  }
}
