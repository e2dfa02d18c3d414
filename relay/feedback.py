"""RTCP: what peers report and ask for, and what the relay reports and asks of them.

The parsing and packing are aiortc's; none of this is in the hot path. RTCP is RFC 3550, feedback
RFC 4585 and 5104, reduced size RFC 5506, REMB draft-alvestrand-rmcat-remb-03.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from aiortc.rate import RemoteBitrateEstimator
from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    clamp_packets_lost,
    pack_remb_fci,
)

from relay.forward import (
    CACHE_PACKETS,
    CACHE_S,
    MAX_GAP,
    Arrival,
    Cached,
    Slot,
    Source,
    Transport,
    send_packet,
    send_rtcp,
)
from relay.profile import ABS_SEND_TIME_ID, RTX_PAYLOAD_TYPE

KEY_FRAME_INTERVAL_S = 0.3
"""At most one PLI a source in this time, however many sinks ask."""

REORDER_S = 0.010
"""How long a missing packet may still come by itself before it is asked for."""

NACK_INTERVAL_S = 0.1
NACK_TRIES = 5

RETRANSMISSIONS_PER_TICK = 50
"""Answers to one peer's NACKs in one tick of 20 ms, so that no one can ask for a flood."""

LOOKUPS_PER_TICK = 500
"""Packets of one peer's NACKs that are looked for in one tick, whether there or not."""

RTCP_BYTES_PER_TICK = 3_000
"""How much RTCP of one peer is looked at in one tick; a NACK of 4 bytes names 17 packets."""

MAX_BURSTS = 64
"""Bursts that the bandwidth estimator is told of at a time; honest clocks make 20 in 100 ms."""

PAUSE_S = 2.0
"""After so long without video the estimator starts its measurements afresh."""

_NACK, _PLI, _FIR, _REMB = 1, 1, 4, 15
_CNAME = 1
_BURST = int(0.005 * (1 << 18))
"""5 ms in units of abs-send-time."""


def parse(compound: bytes) -> list[AnyRtcpPacket] | None:
    """The packets in a compound, or None if it is malformed."""
    try:
        return RtcpPacket.parse(compound)
    except (ValueError, struct.error, IndexError):
        return None


def request_key_frame(source: Source, now: float) -> None:
    """Ask for a key frame now, or as soon as the last request is long enough ago."""
    source.key_frame_wanted = True
    if now - source.key_frame_asked_at >= KEY_FRAME_INTERVAL_S:
        _send_pli(source, now)


def _send_pli(source: Source, now: float) -> None:
    if source.ssrc is None:
        return
    pli = RtcpPsfbPacket(fmt=_PLI, ssrc=source.transport.reporter_ssrc, media_ssrc=source.ssrc)
    if send_rtcp(source.transport, bytes(pli)):
        source.key_frame_wanted = False
        source.key_frame_asked_at = now
        source.transport.counters.key_frame_requests += 1


def note_gap(source: Source, first: int, end: int, now: float) -> None:
    """Remember that the packets from `first` up to but not including `end` have not come."""
    if end - first > MAX_GAP or len(source.missing) > MAX_GAP:
        source.missing.clear()
        request_key_frame(source, now)
        return
    for extended in range(first, end):
        source.missing[extended] = (now + REORDER_S, 0)


class Feedback:
    """The RTCP side of one peer: its slots, whose feedback it sends us, and its sources."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.slots: dict[int, Slot] = {}
        """By SSRC."""
        self.sources: list[Source] = []
        self._estimator = RemoteBitrateEstimator()
        self._arrived_at = 0.0
        self._retransmissions = RETRANSMISSIONS_PER_TICK
        self._lookups = LOOKUPS_PER_TICK
        self._rtcp_bytes = RTCP_BYTES_PER_TICK

    # --- from the peer -------------------------------------------------------------------------

    def admit(self, size: int) -> bool:
        """Whether a compound of `size` bytes may be looked at in this tick."""
        self._rtcp_bytes -= size
        return self._rtcp_bytes >= 0

    def receive(self, packets: list[AnyRtcpPacket], now: float) -> None:
        """Act on what the peer reports and asks for."""
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                source = self._transport.sources.get(packet.ssrc)
                if source is not None and packet.ssrc == source.ssrc:
                    info = packet.sender_info
                    source.sender_report = (info.ntp_timestamp, info.rtp_timestamp, now)
                    for slot in source.sinks:
                        slot.report_due = True
            elif isinstance(packet, RtcpRtpfbPacket):
                nacked = self.slots.get(packet.media_ssrc)
                if packet.fmt == _NACK and nacked is not None:
                    self._retransmit(nacked, packet.lost, now)
            elif isinstance(packet, RtcpPsfbPacket):
                if packet.fmt == _PLI:
                    self._key_frame(packet.media_ssrc, now)
                elif packet.fmt == _FIR:
                    for at in range(0, len(packet.fci) - 7, 8):
                        self._key_frame(int.from_bytes(packet.fci[at : at + 4], "big"), now)

    def _key_frame(self, ssrc: int, now: float) -> None:
        slot = self.slots.get(ssrc)
        if slot is None or slot.kind != "video" or slot.fed_by is None:
            return
        # a sink behind a closed gate has no say in what the source sends
        if slot in slot.fed_by.sinks:
            request_key_frame(slot.fed_by, now)

    def _retransmit(self, slot: Slot, lost: list[int], now: float) -> None:
        """Answer a NACK from the source's cache, as RTX (RFC 4588)."""
        source = slot.fed_by
        if source is None or slot not in source.sinks or slot.rtx_ssrc is None:
            return
        lost = lost[: self._lookups]
        self._lookups -= len(lost)
        for seq in lost:
            if not self._retransmissions:
                return
            behind = (source.highest - (seq - slot.seq_delta)) & 0xFFFF
            extended = source.highest - behind
            if behind >= CACHE_PACKETS or extended < slot.anchor:
                continue
            cached = source.cache[extended & (CACHE_PACKETS - 1)]
            if cached is None or cached[0] != extended or now - cached[1] > CACHE_S:
                continue
            if send_packet(slot, _rtx(slot, seq, cached, now), cached[3]):
                slot.transport.counters.retransmitted_packets += 1
                self._retransmissions -= 1

    # --- to the peer ---------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Every 20 ms: what was asked for and could not be sent yet, and what is missing."""
        self._retransmissions = RETRANSMISSIONS_PER_TICK
        self._lookups = LOOKUPS_PER_TICK
        self._rtcp_bytes = RTCP_BYTES_PER_TICK
        for source in self.sources:
            if source.key_frame_wanted and now - source.key_frame_asked_at >= KEY_FRAME_INTERVAL_S:
                _send_pli(source, now)
            if source.missing:
                self._ask_again(source, now)
        for slot in self.slots.values():
            if slot.report_due:
                _send_report(slot)

    def _ask_again(self, source: Source, now: float) -> None:
        due: list[int] = []
        for extended, (at, tries) in list(source.missing.items()):
            if at > now:
                continue
            if tries == NACK_TRIES:
                del source.missing[extended]
                continue
            source.missing[extended] = (now + NACK_INTERVAL_S, tries + 1)
            due.append(extended)
        if not due or source.ssrc is None:
            return
        due.sort()
        # aiortc packs rising numbers only, so each turn of the 16 bits makes a packet of its own
        for turn in sorted({extended >> 16 for extended in due}):
            lost = [extended & 0xFFFF for extended in due if extended >> 16 == turn]
            nack = RtcpRtpfbPacket(_NACK, self._transport.reporter_ssrc, source.ssrc, lost=lost)
            send_rtcp(self._transport, bytes(nack))

    def estimate(self) -> None:
        """Every 100 ms: feed the bandwidth estimator with what came in, and send its REMB."""
        arrivals = self._transport.arrivals
        if not arrivals:
            return
        self._transport.arrivals = []
        if arrivals[0][0] - self._arrived_at > PAUSE_S:
            # its counter would go through the pause in steps of 1 ms, and the send time has wrapped
            self._estimator.incoming_bitrate.reset()
            self._estimator.inter_arrival.current_group = None
            self._estimator.inter_arrival.previous_group = None
        self._arrived_at = arrivals[-1][0]
        bitrate: int | None = None
        for at, send_time, size, ssrc in islice(_bursts(arrivals), MAX_BURSTS):
            estimate = self._estimator.add(int(at * 1000), send_time, size, ssrc)
            if estimate is not None:
                bitrate = estimate[0]
        ssrcs = [s.ssrc for s in self.sources if s.kind == "video" and s.ssrc is not None]
        if bitrate is not None and ssrcs:
            fci = pack_remb_fci(bitrate, ssrcs)
            remb = RtcpPsfbPacket(
                fmt=_REMB, ssrc=self._transport.reporter_ssrc, media_ssrc=0, fci=fci
            )
            send_rtcp(self._transport, bytes(remb))

    def report(self, now: float) -> None:
        """Every second: a receiver report on the peer's sources (RFC 3550 section 6.4.2)."""
        reports = [
            _receiver_info(source, source.ssrc, now)
            for source in self.sources
            if source.ssrc is not None and source.highest >= 0
        ]
        if not reports:
            return
        cname = RtcpSourceInfo(self._transport.reporter_ssrc, [(_CNAME, b"relay")])
        compound = bytes(RtcpRrPacket(self._transport.reporter_ssrc, reports)) + bytes(
            RtcpSdesPacket([cname])
        )
        send_rtcp(self._transport, compound)

    def goodbye(self, slot: Slot) -> None:
        """Tell the peer that a slot has emptied."""
        if slot.packets:
            compound = bytes(RtcpRrPacket(slot.ssrc)) + bytes(RtcpByePacket([slot.ssrc]))
            send_rtcp(self._transport, compound)


def _bursts(arrivals: list[Arrival]) -> Iterator[Arrival]:
    """Make one arrival of those sent within 5 ms of each other.

    The estimator looks at such bursts as one anyhow; put together beforehand, a video frame costs
    it one update in place of one for each packet.
    """
    at, send_time, size, ssrc = arrivals[0]
    first = send_time
    for next_at, next_send_time, next_size, next_ssrc in arrivals[1:]:
        if (next_send_time - first) & 0xFFFFFF <= _BURST:
            at, send_time, size = next_at, next_send_time, size + next_size
        else:
            yield at, send_time, size, ssrc
            at, send_time, size, ssrc = next_at, next_send_time, next_size, next_ssrc
            first = send_time
    yield at, send_time, size, ssrc


def _send_report(slot: Slot) -> None:
    """Pass on the source's last sender report in the slot's own terms."""
    source = slot.fed_by
    slot.report_due = False
    if source is None or source.sender_report is None or slot not in source.sinks:
        return
    ntp, timestamp, _ = source.sender_report
    if slot.packets == 0:
        slot.report_due = True  # its timestamps are not settled before the first packet
        return
    info = RtcpSenderInfo(
        ntp_timestamp=ntp,
        rtp_timestamp=(timestamp + slot.timestamp_delta) & 0xFFFFFFFF,
        packet_count=slot.packets & 0xFFFFFFFF,
        octet_count=slot.octets & 0xFFFFFFFF,
    )
    cname = RtcpSourceInfo(slot.ssrc, [(_CNAME, slot.cname.encode())])
    compound = bytes(RtcpSrPacket(slot.ssrc, info)) + bytes(RtcpSdesPacket([cname]))
    send_rtcp(slot.transport, compound)


def _receiver_info(source: Source, ssrc: int, now: float) -> RtcpReceiverInfo:
    """A report block as RFC 3550 appendix A.3 computes it."""
    expected = source.highest - source.base + 1
    lost = expected - source.received
    expected_interval = expected - source.expected_before
    lost_interval = expected_interval - (source.received - source.received_before)
    source.expected_before = expected
    source.received_before = source.received
    fraction = 0
    if expected_interval > 0 and lost_interval > 0:
        fraction = min(255, (lost_interval << 8) // expected_interval)
    lsr = dlsr = 0
    if source.sender_report is not None:
        ntp, _, at = source.sender_report
        lsr = ntp >> 16 & 0xFFFFFFFF
        dlsr = min(int((now - at) * 0x10000), 0xFFFFFFFF)
    return RtcpReceiverInfo(
        ssrc=ssrc,
        fraction_lost=fraction,
        packets_lost=clamp_packets_lost(lost),
        highest_sequence=source.highest - 0x10000 & 0xFFFFFFFF,
        jitter=int(source.jitter) & 0xFFFFFFFF,
        lsr=lsr,
        dlsr=dlsr,
    )


def _rtx(slot: Slot, seq: int, cached: Cached, now: float) -> bytes:
    """Wrap a cached packet for its slot: RTX header, original sequence number, payload."""
    assert slot.rtx_ssrc is not None
    _, _, packet, _, frame_at = cached
    first, second = packet[0], packet[1]
    (timestamp,) = struct.unpack_from("!I", packet, 4)
    header = bytearray(packet[: _header_length(packet)])
    slot.rtx_seq = (slot.rtx_seq + 1) & 0xFFFF
    struct.pack_into(
        "!BBHII",
        header,
        0,
        first,
        second & 0x80 | RTX_PAYLOAD_TYPE,
        slot.rtx_seq,
        (timestamp + slot.timestamp_delta) & 0xFFFFFFFF,
        slot.rtx_ssrc,
    )
    if frame_at and slot.frame_delta is not None:
        (frame,) = struct.unpack_from("!H", header, frame_at)
        struct.pack_into("!H", header, frame_at, (frame + slot.frame_delta) & 0xFFFF)
    _stamp_send_time(header, now)
    return bytes(header) + struct.pack("!H", seq) + packet[len(header) :]


def _header_length(packet: bytes) -> int:
    """Length in bytes of the header with its extensions, of a packet checked before."""
    length = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        (words,) = struct.unpack_from("!H", packet, length + 2)
        length += 4 + 4 * int(words)
    return length


def _stamp_send_time(header: bytearray, now: float) -> None:
    """Write the time in s into abs-send-time, if the header has it."""
    if not header[0] & 0x10:
        return
    at = 12 + 4 * (header[0] & 0x0F) + 4
    while at < len(header):
        element = header[at]
        if element == 0:
            at += 1
            continue
        length = (element & 0x0F) + 1
        if element >> 4 == ABS_SEND_TIME_ID and length == 3:
            header[at + 1 : at + 4] = (int(now * 0x40000) & 0xFFFFFF).to_bytes(3, "big")
            return
        at += 1 + length
