"""RTP packets made and read by hand, apart from the code under test."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

OPUS, VP8, RTX = 111, 96, 97
LEVEL, SEND_TIME, MID, DESCRIPTOR = 1, 2, 3, 4
"""The ids of the header extensions."""


def descriptor(frame: int, rest: bytes = b"\x80") -> tuple[int, bytes]:
    """A dependency descriptor: first and last packet of a frame of template 0, by default of a
    key frame, with the flag of a structure; with nothing in `rest`, of another frame."""
    return DESCRIPTOR, b"\xc0" + struct.pack("!H", frame & 0xFFFF) + rest


def frame_of(packet: Rtp) -> int:
    """The frame number in its dependency descriptor."""
    (frame,) = struct.unpack_from("!H", packet.extensions[DESCRIPTOR], 1)
    return int(frame)


@dataclass(frozen=True)
class Rtp:
    """What stands in an RTP packet (RFC 3550 section 5.1)."""

    padded: bool
    marker: bool
    payload_type: int
    seq: int
    timestamp: int
    ssrc: int
    csrcs: tuple[int, ...]
    extensions: dict[int, bytes]
    payload: bytes
    """With the padding, if there is any."""


def rtp(
    ssrc: int,
    seq: int,
    timestamp: int,
    payload: bytes = b"sealed media",
    *,
    payload_type: int = OPUS,
    marker: bool = False,
    padded: bool = False,
    csrcs: Sequence[int] = (),
    extensions: Sequence[tuple[int, bytes]] = (),
    profile: int = 0xBEDE,
) -> bytes:
    """A packet, with one-byte header extensions (RFC 8285)."""
    raw = b"".join(bytes([id_ << 4 | len(value) - 1]) + value for id_, value in extensions)
    raw += bytes(-len(raw) % 4)
    first = 0x80 | padded << 5 | bool(extensions) << 4 | len(csrcs)
    head = struct.pack("!BBHII", first, marker << 7 | payload_type, seq & 0xFFFF, timestamp, ssrc)
    head += b"".join(struct.pack("!I", csrc) for csrc in csrcs)
    if extensions:
        head += struct.pack("!HH", profile, len(raw) // 4) + raw
    return head + payload


def read_rtp(data: bytes) -> Rtp:
    first, second, seq, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    at = 12 + 4 * (first & 15)
    csrcs = struct.unpack_from(f"!{first & 15}I", data, 12)
    extensions: dict[int, bytes] = {}
    if first & 0x10:
        profile, words = struct.unpack_from("!HH", data, at)
        assert profile == 0xBEDE
        at += 4
        end = at + 4 * words
        while at < end:
            if data[at] == 0:
                at += 1
                continue
            size = (data[at] & 15) + 1
            extensions[data[at] >> 4] = data[at + 1 : at + 1 + size]
            at += 1 + size
    return Rtp(
        padded=bool(first & 0x20),
        marker=bool(second & 0x80),
        payload_type=second & 0x7F,
        seq=seq,
        timestamp=timestamp,
        ssrc=ssrc,
        csrcs=csrcs,
        extensions=extensions,
        payload=data[at:],
    )
