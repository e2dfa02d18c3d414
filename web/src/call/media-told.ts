/** What the server knows of what is sent, kept up with what is. */
import { RequestFailed } from '../wire/socket';

export interface Sending {
  mic: boolean;
  camera: boolean;
}

const AGAIN_MS = 1_000;

export class MediaTold {
  readonly #sending: () => Sending;
  readonly #tell: (sending: Sending) => Promise<unknown>;
  /** Null while this connection is not in the room. */
  #told: Sending | null = null;
  #telling = false;

  /** `tell` rejects with RequestFailed. */
  constructor(sending: () => Sending, tell: (sending: Sending) => Promise<unknown>) {
    this.#sending = sending;
    this.#tell = tell;
  }

  get isInRoom(): boolean {
    return this.#told !== null;
  }

  /** The join told it. */
  joined(told: Sending): void {
    this.#told = told;
  }

  /** This connection is gone, or out of the room: the next join tells it anew. */
  gone(): void {
    this.#told = null;
  }

  /** The latest only, however fast someone clicks. */
  async keepUp(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (;;) {
        const now = this.#sending();
        const told = this.#told;
        if (told === null || (told.mic === now.mic && told.camera === now.camera)) return;
        try {
          await this.#tell(now);
          if (told === this.#told) this.#told = now;
        } catch (error) {
          if (!(error instanceof RequestFailed) || error.kind === 'lost') return;
          if (told !== this.#told) continue;
          if (error.problem && error.problem.code !== 'too_fast') return;
          await new Promise((resume) => setTimeout(resume, AGAIN_MS));
        }
      }
    } finally {
      this.#telling = false;
    }
  }
}
