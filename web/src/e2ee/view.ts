/** What the page shows of the room's encryption. */
import type { Role } from './identity';

/** Someone in the room's MLS group, as their own credential has it. */
export interface Member {
  /** Of the ratchet tree, from 0. */
  leaf: number;
  /** The fingerprint of their signature key; a `Participant.id`. */
  id: string;
  name: string;
  role: Role;
}

/** What all members see the same, to be compared aloud. */
export interface Safety {
  words: string[];
  /** Each an emoji with its name for screen readers and the colour behind it. */
  row: { emoji: string; name: string; colour: string }[];
}

export interface Warning {
  /** The same for as long as the same thing is wrong. */
  key: string;
  /** One sentence in plain words. */
  text: string;
}

/** Something that only a facilitator can tell: whether somebody belongs here. */
export interface Question {
  id: string;
  name: string;
  role: Role;
  /** `kept_out`: it was answered, and can be answered otherwise. */
  where: 'inside' | 'outside' | 'kept_out';
  /** In plain words. */
  text: string;
}

export interface EncryptionView {
  /** `setting_up`: nobody hears one yet, nor is anyone heard. */
  phase: 'off' | 'setting_up' | 'secured';
  /** Of the MLS group; null until `secured`. */
  epoch: number | null;
  /** What the safety words are made of; null until `secured`. */
  authenticator: Uint8Array | null;
  members: Member[];
  warnings: Warning[];
  /** For facilitators. */
  questions: Question[];
  /** Who lets people in to the encrypted call; null while in none. */
  admission: 'facilitator' | 'open' | null;
}

export const NO_ENCRYPTION: EncryptionView = {
  phase: 'off',
  epoch: null,
  authenticator: null,
  members: [],
  warnings: [],
  questions: [],
  admission: null,
};
