/** The chat as the page's parts use it: what was written, and how to write. */
import { MAX_TEXT } from '../e2ee/chat';
import type { ChatReceived } from '../e2ee/audience';
import { RequestFailed } from '../wire/socket';
import {
  audienceOf,
  EMPTY,
  step,
  unreadOf,
  type Audience,
  type ChatEvent,
  type ConversationId,
  type Self,
} from './log';
import { spoken } from './words';

export interface ChatEdges {
  /** Rejects with RequestFailed. */
  send(audience: Audience, to: string | null, text: string): Promise<void>;
  announce(text: string): void;
  /** Of someone who is or was in the room. */
  nameOf(id: string): string;
}

export class ChatLog {
  state = $state.raw(EMPTY);
  readonly #edges: ChatEdges;
  /** What comes of a message of an earlier visit is no news for this one. */
  #visit = 0;

  constructor(edges: ChatEdges) {
    this.#edges = edges;
  }

  get unread(): number {
    return unreadOf(this.state);
  }

  // --- What comes in -----------------------------------------------------------------------

  /** In the room, for the first time or again. */
  joined(self: Self): void {
    const before = this.state;
    this.#step({ name: 'joined', self });
    if (this.state !== before) this.#visit += 1;
  }

  /** Out of the room for good: nothing is kept. */
  left(): void {
    this.#visit += 1;
    this.#step({ name: 'left' });
  }

  received(chat: ChatReceived): void {
    const { lastId, self } = this.state;
    const { to } = chat;
    const toName = to === null || to === self?.id ? null : this.#edges.nameOf(to);
    this.#step({ name: 'received', chat, toName, at: Date.now() });
    const entry = this.state.entries.at(-1);
    if (entry !== undefined && this.state.lastId !== lastId) this.#edges.announce(spoken(entry));
  }

  // --- What the person does ----------------------------------------------------------------

  /** Writes; answers the entry's id, or null where there is nothing that could be sent. */
  write(conversation: ConversationId, text: string): number | null {
    const words = text.trim();
    if (words === '' || lengthOf(words) > MAX_TEXT || this.state.self === null) return null;
    const { to } = audienceOf(conversation);
    const toName = to === null ? null : this.#edges.nameOf(to);
    this.#step({ name: 'wrote', conversation, text: words, toName, at: Date.now() });
    const id = this.state.lastId;
    void this.#send(id);
    return id;
  }

  /** Sends once more what failed. */
  tryAgain(id: number): void {
    const entry = this.state.entries.find((one) => one.id === id);
    if (entry?.delivery !== 'failed') return;
    this.#step({ name: 'tried_again', id });
    void this.#send(id);
  }

  draft(conversation: ConversationId, text: string): void {
    this.#step({ name: 'drafted', conversation, text });
  }

  /** Marks a conversation as on screen; answers how to take that back. */
  reading(conversation: ConversationId): () => void {
    this.#step({ name: 'opened', conversation });
    return () => this.#step({ name: 'closed', conversation });
  }

  dismissNotice(id: number): void {
    this.#step({ name: 'notice_over', id });
  }

  async #send(id: number): Promise<void> {
    const entry = this.state.entries.find((one) => one.id === id);
    if (entry === undefined) return;
    const visit = this.#visit;
    try {
      await this.#edges.send(entry.audience, entry.to, entry.text);
      if (visit === this.#visit) this.#step({ name: 'sent', id });
    } catch (error) {
      if (visit !== this.#visit) return;
      const refused = error instanceof RequestFailed && error.kind === 'refused';
      const problem = refused ? error.message : 'It did not get through just now.';
      this.#step({ name: 'failed', id, problem });
      this.#edges.announce(`Your message was not sent. ${problem}`);
    }
  }

  #step(event: ChatEvent): void {
    this.state = step(this.state, event);
  }
}

/** As the one who writes counts. */
export const lengthOf = (text: string): number => Array.from(text).length;
