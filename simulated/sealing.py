"""How a room's media frames are sealed with SFrame under the keys of its MLS group.

Each epoch exports a base key (RFC 9605 section 5.2). A KID names track, leaf and epoch, and whoever
receives a frame lets it pass only if that leaf belongs to the person whom it expects.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Literal

from simulated.sframe import (
    AES_128_GCM_SHA256_128,
    AES_256_GCM_SHA512_128,
    FrameKey,
    NotSFrame,
    read_header,
)

KEPT_S: Final = 10.0
"""For how long the keys of an epoch still open frames when the next has begun."""

REPLAY_WINDOW: Final = 128
"""Of each KID, how far behind the highest counter a frame may come."""

CLEAR_BYTE: Final = 4
"""Added to a track in its KID: the codec's first byte is in the clear, before the SFrame header."""

_SUITES: Final = {
    suite.key_length: suite for suite in (AES_128_GCM_SHA256_128, AES_256_GCM_SHA512_128)
}


class Track(IntEnum):
    MICROPHONE = 0
    CAMERA = 1
    SCREEN = 2


Drop = Literal[
    "nobody", "no_key", "unknown_epoch", "malformed", "wrong_sender", "forged", "replayed"
]
"""Why a frame was not opened."""


class Dropped(Exception):
    """A frame could not be opened."""

    def __init__(self, reason: Drop) -> None:
        super().__init__(reason)
        self.reason: Drop = reason


@dataclass(frozen=True)
class EpochKeys:
    """What an epoch of the MLS group gives to media."""

    epoch: int
    base_key: bytes
    own_leaf: int
    leaves: dict[str, int]
    """Of everyone in the tree, by the id of the person."""


def key_id(track: int, leaf: int, epoch: int) -> int:
    """RFC 9605 section 5.2, with a context for the track and 8 bits for epoch and leaf each."""
    return track << 16 | leaf << 8 | epoch & 0xFF


class Sealer:
    """Seals what one person sends. Its counters go on for as long as it lives."""

    def __init__(self) -> None:
        self._counters: defaultdict[tuple[bytes, int], int] = defaultdict(int)
        """The next one, by base key and KID."""
        self._epoch: EpochKeys | None = None
        self._keys: dict[int, FrameKey] = {}

    def set_epoch(self, keys: EpochKeys | None) -> None:
        """Seal with these keys from now on, or nothing at all."""
        self._epoch = keys
        self._keys = {}

    def seal(self, track: Track, frame: bytes, *, clear: bool = False) -> bytes | None:
        """Seal a frame whole, or all but its first byte; None while there is no key."""
        if self._epoch is None:
            return None
        kid = key_id(track | CLEAR_BYTE * clear, self._epoch.own_leaf, self._epoch.epoch)
        key = self._keys.get(kid)
        if key is None:
            key = self._keys[kid] = _frame_key(kid, self._epoch.base_key)
        used = (self._epoch.base_key, kid)
        counter = self._counters[used]
        self._counters[used] += 1
        first = frame[:clear]
        return first + key.seal(counter, frame[clear:], first)


@dataclass
class _Receiving:
    """An epoch, as far as frames are opened with its keys."""

    keys: EpochKeys
    until: float | None = None
    by_kid: dict[int, FrameKey] = field(default_factory=dict)
    seen: dict[int, _Window] = field(default_factory=dict)


class _Window:
    """The counters of one KID that have been seen of late, as IPsec has it (RFC 4303, 3.4.3)."""

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0
        """Bit n: the counter that is n below the highest."""

    def is_new(self, counter: int) -> bool:
        behind = self._highest - counter
        return behind < 0 or (behind < REPLAY_WINDOW and not self._seen >> behind & 1)

    def note(self, counter: int) -> None:
        behind = self._highest - counter
        if behind < 0:
            ahead = min(-behind, REPLAY_WINDOW)
            self._seen = (self._seen << ahead | 1) & (1 << REPLAY_WINDOW) - 1
            self._highest = counter
        else:
            self._seen |= 1 << behind


class Opener:
    """Opens what one person receives from everyone."""

    def __init__(self) -> None:
        self._epochs: list[_Receiving] = []
        """The latest first."""

    def set_epoch(self, keys: EpochKeys, now: float) -> None:
        for earlier in self._epochs:
            if earlier.until is None:
                earlier.until = now + KEPT_S
        self._forget(now)
        self._epochs.insert(0, _Receiving(keys))

    def open(self, track: Track, person: str | None, frame: bytes, now: float) -> bytes:
        """Open a frame that came where the roster has this person.

        Raises:
            Dropped: it does not come from them, or there is no key for it.
        """
        if person is None:
            raise Dropped("nobody")
        self._forget(now)
        if not self._epochs:
            raise Dropped("no_key")
        reason: Drop = "malformed"
        # An audio frame is always sealed whole.
        for clear in range(1 if track is Track.MICROPHONE else 2):
            try:
                header = read_header(frame[clear:])
            except NotSFrame:
                continue
            if header.kid >> 16 != track | CLEAR_BYTE * clear:
                continue
            known = [one for one in self._epochs if one.keys.epoch & 0xFF == header.kid & 0xFF]
            if not known:
                reason = "unknown_epoch"
            for epoch in known:
                if epoch.keys.leaves.get(person) != header.kid >> 8 & 0xFF:
                    reason = "wrong_sender"
                    continue
                window = epoch.seen.setdefault(header.kid, _Window())
                if not window.is_new(header.counter):
                    reason = "replayed"
                    continue
                key = epoch.by_kid.get(header.kid)
                if key is None:
                    key = epoch.by_kid[header.kid] = _frame_key(header.kid, epoch.keys.base_key)
                first = frame[:clear]
                plaintext = key.open(header, frame[clear:], first)
                if plaintext is None:
                    reason = "forged"
                    continue
                window.note(header.counter)
                return first + plaintext
        raise Dropped(reason)

    def _forget(self, now: float) -> None:
        self._epochs = [one for one in self._epochs if one.until is None or now < one.until]


def _frame_key(kid: int, base_key: bytes) -> FrameKey:
    return FrameKey(_SUITES[len(base_key)], kid, base_key)
