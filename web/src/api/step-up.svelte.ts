/** Asks the person to prove again who they are, before something sensitive. */

export class StepUp {
  /** Whether the dialog is open. */
  isAsking = $state(false);
  #waiting: ((proved: boolean) => void)[] = [];

  /** Whether they did. Who asks meanwhile gets the same answer. */
  ask(): Promise<boolean> {
    this.isAsking = true;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  answer(proved: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.isAsking = false;
    for (const resolve of waiting) resolve(proved);
  }
}
