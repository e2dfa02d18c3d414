"""RTP packets (RFC 3550) of Opus (RFC 7587) and VP8 (RFC 7741), made and read by hand."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from aiortc.codecs.vpx import VpxPayloadDescriptor

from relay.profile import AUDIO_LEVEL_ID

MAX_PAYLOAD: Final = 1_100
"""Bytes of a video frame in one packet."""

_HEADER: Final = struct.Struct("!BBHII")
_ONE_BYTE_EXTENSIONS: Final = 0xBEDE
"""RFC 8285 section 4.2."""
_VOICE: Final = 0x80


class Level(NamedTuple):
    """How loud a packet's audio is (RFC 6464)."""

    below_overload: int
    """In -dBov: 0 the loudest, 127 silence."""
    voice: bool


SILENCE: Final = Level(127, voice=False)


class Packet(NamedTuple):
    marker: bool
    payload_type: int
    seq: int
    timestamp: int
    ssrc: int
    level: Level | None
    payload: bytes


def is_rtcp(datagram: bytes | memoryview) -> bool:
    """RFC 5761 section 4."""
    return 192 <= datagram[1] <= 223


def write_packet(packet: Packet) -> bytes:
    extension = b""
    if packet.level is not None:
        octet = packet.level.below_overload | _VOICE * packet.level.voice
        extension = struct.pack("!HHBBH", _ONE_BYTE_EXTENSIONS, 1, AUDIO_LEVEL_ID << 4, octet, 0)
    header = _HEADER.pack(
        0x80 | 0x10 * bool(extension),
        packet.payload_type | 0x80 * packet.marker,
        packet.seq & 0xFFFF,
        packet.timestamp & 0xFFFFFFFF,
        packet.ssrc,
    )
    return header + extension + packet.payload


def read_packet(data: bytes) -> Packet:
    """Read a packet that SRTP has shown to be the relay's."""
    first, second, seq, timestamp, ssrc = _HEADER.unpack_from(data)
    at, level = _HEADER.size + 4 * (first & 0x0F), None
    if first & 0x10:
        profile, words = struct.unpack_from("!HH", data, at)
        at += 4
        if profile == _ONE_BYTE_EXTENSIONS:
            level = _find_level(data[at : at + 4 * words])
        at += 4 * words
    end = len(data) - (data[-1] if first & 0x20 else 0)
    return Packet(bool(second & 0x80), second & 0x7F, seq, timestamp, ssrc, level, data[at:end])


def _find_level(extensions: bytes) -> Level | None:
    at = 0
    while at < len(extensions) - 1:
        octet = extensions[at]
        if octet == 0:  # padding
            at += 1
            continue
        if octet >> 4 == AUDIO_LEVEL_ID:
            return Level(extensions[at + 1] & 0x7F, voice=bool(extensions[at + 1] & _VOICE))
        at += 2 + (octet & 0x0F)
    return None


def split_frame(frame: bytes, picture_id: int) -> list[bytes]:
    """The payloads of a video frame's packets, each with its descriptor."""
    payloads = []
    for at in range(0, len(frame), MAX_PAYLOAD):
        descriptor = VpxPayloadDescriptor(
            partition_start=int(at == 0), partition_id=0, picture_id=picture_id & 0x7FFF
        )
        payloads.append(bytes(descriptor) + frame[at : at + MAX_PAYLOAD])
    return payloads


@dataclass
class FrameAssembler:
    """Puts the video frames of one SSRC together again; frames with a gap are left out."""

    _parts: dict[int, tuple[bool, bool, bytes]] = field(default_factory=dict)
    """Whether it begins a frame, whether it ends one, and its part; by sequence number."""
    _timestamp: int = -1

    def take(self, packet: Packet) -> bytes | None:
        """The frame that this packet completes, if it does."""
        if packet.timestamp != self._timestamp:
            self._parts.clear()
            self._timestamp = packet.timestamp
        try:
            descriptor, part = VpxPayloadDescriptor.parse(packet.payload)
        except ValueError:
            return None
        begins = descriptor.partition_start == 1 and descriptor.partition_id == 0
        self._parts[packet.seq] = (begins, packet.marker, part)
        return self._frame()

    def _frame(self) -> bytes | None:
        seq = next((seq for seq, (begins, _, _) in self._parts.items() if begins), None)
        frame = b""
        while seq in self._parts:
            _, ends, part = self._parts[seq]
            frame += part
            if ends:
                self._parts.clear()
                return frame
            seq = seq + 1 & 0xFFFF
        return None
