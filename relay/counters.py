"""What the relay counts: for whom, and why something was dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

DropReason = Literal[
    "too_long",
    "truncated",
    "malformed",
    "unknown_kind",
    "unknown_address",
    "bad_stun",
    "bad_credentials",
    "not_ready",
    "unknown_ssrc",
    "unknown_payload_type",
    "unauthenticated",
    "replayed",
    "too_old",
    "duplicate",
    "padding",
    "rtcp_flood",
    "dtls_queue_full",
    "send_buffer_full",
    "unreachable",
    "protect_failed",
]


@dataclass(frozen=True)
class PeerStats:
    """One peer's counters since it was added."""

    received_packets: int
    received_bytes: int
    sent_packets: int
    """Media packets sent, retransmissions not counted."""
    sent_payload_bytes: int
    retransmitted_packets: int
    """Answers to the peer's NACKs."""
    key_frame_requests: int
    """PLIs sent to the peer."""
    dropped: dict[DropReason, int]


@dataclass(frozen=True)
class RelayStats:
    """All counters; `dropped` counts what could not be told to belong to any peer."""

    peers: dict[str, PeerStats]
    dropped: dict[DropReason, int]
    departed: PeerStats
    """The sum over peers that were removed."""


@dataclass(slots=True)
class Counters:
    """The running numbers behind :class:`PeerStats`."""

    received_packets: int = 0
    received_bytes: int = 0
    sent_packets: int = 0
    sent_payload_bytes: int = 0
    retransmitted_packets: int = 0
    key_frame_requests: int = 0
    dropped: Counter[DropReason] = field(default_factory=Counter)

    def add(self, other: Counters) -> None:
        self.received_packets += other.received_packets
        self.received_bytes += other.received_bytes
        self.sent_packets += other.sent_packets
        self.sent_payload_bytes += other.sent_payload_bytes
        self.retransmitted_packets += other.retransmitted_packets
        self.key_frame_requests += other.key_frame_requests
        self.dropped.update(other.dropped)

    def snapshot(self) -> PeerStats:
        return PeerStats(
            received_packets=self.received_packets,
            received_bytes=self.received_bytes,
            sent_packets=self.sent_packets,
            sent_payload_bytes=self.sent_payload_bytes,
            retransmitted_packets=self.retransmitted_packets,
            key_frame_requests=self.key_frame_requests,
            dropped=dict(self.dropped),
        )
