"""Valid datagrams to begin with, and ways to spoil them. Repeatable: all chance is the caller's."""

from __future__ import annotations

from random import Random

from aiortc.rtcdtlstransport import SRTP_PROFILES
from aiortc.rtp import (
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    pack_remb_fci,
)
from OpenSSL import SSL

from tests.relay.packets import LEVEL, MID, OPUS, RTX, SEND_TIME, VP8, descriptor, rtp
from tests.relay.room import CERTIFICATE, Member


def client_hello() -> bytes:
    """The first datagram of a DTLS handshake."""
    connection = SSL.Connection(CERTIFICATE._create_ssl_context(SRTP_PROFILES))
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return connection.bio_read(1_500)
    raise AssertionError("a handshake takes two")


def media_seeds() -> list[bytes]:
    key_frame = descriptor(9, b"\x80\0\x3a\x40\x81\x3f\x80\xb3\x80")
    camera = [(SEND_TIME, b"\1\2\3"), (MID, b"ca"), key_frame]
    return [
        rtp(0x1111, 0, 0, bytes(80), extensions=[(LEVEL, b"\x90"), (MID, b"mi")]),
        rtp(0x1111, 0, 0, b"", payload_type=OPUS, csrcs=(1, 2)),
        rtp(0x2222, 0, 0, bytes(1_100), payload_type=VP8, marker=True, extensions=camera),
        rtp(0x2222, 0, 0, b"\0\0\0\4", payload_type=VP8, padded=True),
        rtp(0x2222, 0, 0, bytes(90), payload_type=VP8, extensions=[descriptor(10)]),
        rtp(0x2222, 0, 0, bytes(90), payload_type=VP8, extensions=camera, profile=0x1000),
        rtp(0x3333, 0, 0, bytes(400), payload_type=RTX, extensions=camera),
        rtp(0x3333, 0, 0, bytes(255) + b"\xff", payload_type=RTX, padded=True),
    ]


def control_seeds(member: Member) -> list[bytes]:
    """RTCP of every kind, about the member's own sources and slots."""
    slot = member.peer.slots["v1"].ssrc
    block = RtcpReceiverInfo(slot, 5, 6, 7, 8, 9, 10)
    report = RtcpSrPacket(0x1111, RtcpSenderInfo(1 << 60, 5, 6, 7), [block])
    names = RtcpSdesPacket([RtcpSourceInfo(0x1111, [(1, b"someone")])])
    packets = [
        bytes(report) + bytes(names),
        bytes(RtcpSrPacket(0x2222, RtcpSenderInfo(1 << 60, 5, 6, 7))),
        bytes(RtcpRrPacket(0x1111, [block, block])) + bytes(names),
        bytes(RtcpRtpfbPacket(1, 0x1111, slot, lost=[1, 2, 3, 17, 900])),
        bytes(RtcpPsfbPacket(1, 0x1111, slot)),
        bytes(RtcpPsfbPacket(4, 0x1111, 0, slot.to_bytes(4, "big") + b"\1\0\0\0")),
        bytes(RtcpPsfbPacket(15, 0x1111, 0, pack_remb_fci(1_000_000, [slot]))),
        bytes(RtcpByePacket([0x1111])),
    ]
    return [*packets, b"".join(packets)]


def mutated(chance: Random, data: bytes, others: list[bytes]) -> bytes:
    """`data`, spoiled in one to three ways."""
    raw = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        size = len(raw)
        at = chance.randrange(size) if size else 0
        way = chance.randrange(9)
        if way <= 1 and size:
            raw[at] ^= 1 << chance.randrange(8)
        elif way == 2 and size:
            raw[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif way == 3:
            del raw[at:]
        elif way == 4:
            raw += chance.randbytes(chance.choice((1, 3, 4, 64, 1_200)))
        elif way == 5:
            raw[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif way == 6:
            del raw[at : at + chance.randrange(1, 9)]
        elif way == 7:
            other = chance.choice(others)
            raw[at:] = other[chance.randrange(len(other)) :]
        elif size >= 24:  # where headers and lengths are
            raw[chance.randrange(24)] = chance.randrange(256)
    return bytes(raw[:2_000])
