"""The hot path: everything that happens to a media packet between two sockets.

It is written for speed first: no await, no task, no object made per packet that is not needed. A
packet is received into one C buffer, authenticated and decrypted there by libsrtp, given the
relay's own header extension values, and then copied once for each sink, readdressed, protected
and sent. The payload is never looked at: it is end-to-end encrypted.

RTP is RFC 3550, its header extensions RFC 8285, retransmissions RFC 4588, SRTP RFC 3711 and 7714.
What does not fit is dropped and counted, never raised.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from secrets import randbits
from time import monotonic
from typing import Any, Final

from pylibsrtp._binding import ffi, lib

from relay.counters import Counters, DropReason
from relay.ice import Address
from relay.profile import (
    ABS_SEND_TIME_ID,
    AUDIO_LEVEL_ID,
    CLOCK_RATES,
    DEPENDENCY_DESCRIPTOR_ID,
    MAX_DATAGRAM,
    MID_ID,
    MID_LENGTH,
    PAYLOAD_TYPES,
    RTX_PAYLOAD_TYPE,
    Kind,
)

DATAGRAMS_PER_WAKE: Final = 64
"""How many datagrams are handled before the event loop gets its turn again."""

CACHE_PACKETS: Final = 1_024
"""Places in a source's retransmission cache; a power of two."""

CACHE_S: Final = 1.0
"""How long a packet can be asked for again."""

MAX_DROPOUT: Final = 3_000
"""A longer run of missing packets is a restart of the source (RFC 3550 appendix A.1): it is not
passed on, so that no source can throw its sinks' SRTP out of step (RFC 3711 section 3.3.1)."""

MAX_REPORTERS: Final = 128
"""SSRCs under which one peer may send RTCP: libsrtp keeps a context for each, for good."""

MAX_GAP: Final = 128
"""Longest run of missing packets that is asked for; beyond it a key frame is cheaper."""

FRAME_GAP: Final = 256
"""How far the frame numbers of a slot jump when it takes up another run of packets: further than
a frame refers back to others, so that none seems to refer to what the slot sent before."""

DESCRIPTOR_BYTES: Final = 3
"""The shortest dependency descriptor: flags and template, then the frame number."""

_UNANCHORED: Final = 1 << 62
"""A slot's anchor until the first packet after its gate opened."""

_HEADER: Final = struct.Struct("!BBHII")
_ADDRESSING: Final = struct.Struct("!HII")
_EXTENSION: Final = struct.Struct("!HH")
_U16: Final = struct.Struct("!H")
_U32: Final = struct.Struct("!I")

_BUFFER: Final = 2_048
_rx: Any = ffi.new("unsigned char[]", _BUFFER)
_rx_view: Final = memoryview(ffi.buffer(_rx))
_tx: Any = ffi.new("unsigned char[]", _BUFFER)
_tx_view: Final = memoryview(ffi.buffer(_tx))
_length: Any = ffi.new("int *")

# libsrtp's srtp_err_status_t, of which pylibsrtp names only ok: auth_fail, cipher_fail,
# replay_fail, replay_old
_DROP_BY_STATUS: Final[dict[int, DropReason]] = {
    7: "unauthenticated",
    8: "unauthenticated",
    9: "replayed",
    10: "too_old",
}

Send = Callable[[memoryview | bytes, Address], int]

Arrival = tuple[float, int, int, int]
"""Time in s, abs-send-time, size in bytes and SSRC of a video packet."""

Cached = tuple[int, float, bytes, int, int]
"""Extended sequence number, time in s, packet, and where its mid and its frame number stand (0:
nowhere)."""


class Transport:
    """One peer as the hot path sees it: keys, address, and sources by SSRC."""

    __slots__ = (
        "address",
        "arrivals",
        "counters",
        "reporter_ssrc",
        "reporters",
        "send",
        "sources",
        "srtp_in",
        "srtp_out",
    )

    def __init__(self) -> None:
        self.reporter_ssrc = randbits(32)
        """The relay's own SSRC in reports and feedback to this peer."""
        self.reporters: set[int] = set()
        """The SSRCs under which the peer has sent RTCP."""
        self.srtp_in: Any = None
        self.srtp_out: Any = None
        self.address: Address | None = None
        """Where to send: the pair that the peer nominated."""
        self.send: Send | None = None
        """The `sendto` of the socket that the peer's packets come in by."""
        self.sources: dict[int, Source] = {}
        """By main and by RTX SSRC."""
        self.counters = Counters()
        self.arrivals: list[Arrival] = []
        """What came in, for the bandwidth estimator."""

    @property
    def ready(self) -> bool:
        """Whether media can be sent to the peer."""
        return self.srtp_out is not None and self.address is not None


class Source:
    """A media stream that a peer sends."""

    __slots__ = (
        "base",
        "cache",
        "cache_tail",
        "clock_rate",
        "expected_before",
        "fed_slots",
        "highest",
        "jitter",
        "key_frame_asked_at",
        "key_frame_wanted",
        "kind",
        "last_transit",
        "level",
        "level_at",
        "mid",
        "missing",
        "on_gap",
        "open_to",
        "payload_type",
        "received",
        "received_before",
        "rtx_ssrc",
        "sender_report",
        "sinks",
        "ssrc",
        "transport",
        "voice",
    )

    def __init__(
        self,
        transport: Transport,
        mid: str,
        kind: Kind,
        on_gap: Callable[[Source, int, int, float], None] | None,
    ) -> None:
        """`on_gap` is told of a hole in the sequence: its first number, the one after it, and the
        time; None where nothing is asked for again."""
        self.transport = transport
        self.mid = mid
        self.kind: Kind = kind
        self.payload_type = PAYLOAD_TYPES[kind]
        self.clock_rate = CLOCK_RATES[kind]
        self.ssrc: int | None = None
        self.rtx_ssrc: int | None = None
        self.on_gap = on_gap

        # the gate table: `sinks` is this source's row, made from the other two when one changes
        self.fed_slots: list[Slot] = []
        """The slots that this source is to appear in."""
        self.open_to: set[Transport] = set()
        """The peers towards which its gate is open."""
        self.sinks: tuple[Slot, ...] = ()
        """The fed slots of ready peers towards which the gate is open."""

        self.base = -1
        """Extended sequence number of the first packet."""
        self.highest = -1
        """Highest extended sequence number (RFC 3550 appendix A.1); -1 before the first."""
        self.received = 0
        """Packets received, retransmissions included, duplicates not."""
        self.jitter = 0.0
        """Interarrival jitter in RTP clock units (RFC 3550 section 6.4.1)."""
        self.last_transit = 0.0

        self.level = 127
        """Audio level in -dBov, 0 loudest to 127 silence (RFC 6464)."""
        self.voice = False
        """The sender's voice activity bit (RFC 6464)."""
        self.level_at = 0.0
        """When the level was read, in s."""

        self.cache: list[Cached | None] = [None] * CACHE_PACKETS
        """For retransmission, and to forward nothing twice, which SRTP at the sinks would not
        survive."""
        self.cache_tail = 0
        """Extended sequence number below which the cache was emptied."""
        self.missing: dict[int, tuple[float, int]] = {}
        """Extended sequence number to when it is next asked for and how often it was."""

        # what feedback.py keeps
        self.sender_report: tuple[int, int, float] | None = None
        """NTP and RTP timestamp of the source's last sender report, and when it came, in s."""
        self.expected_before = 0
        self.received_before = 0
        self.key_frame_asked_at = 0.0
        self.key_frame_wanted = False


class Slot:
    """A media stream that a peer receives: one SSRC, one unbroken run of sequence numbers,
    timestamps and frame numbers, whichever source feeds it."""

    __slots__ = (
        "anchor",
        "cname",
        "fed_by",
        "frame_delta",
        "kind",
        "last_at",
        "last_frame",
        "last_seq",
        "last_timestamp",
        "mid",
        "mid_bytes",
        "octets",
        "packets",
        "report_due",
        "rtx_seq",
        "rtx_ssrc",
        "seq_delta",
        "ssrc",
        "timestamp_delta",
        "transport",
    )

    def __init__(
        self,
        transport: Transport,
        mid: str,
        kind: Kind,
        ssrc: int,
        rtx_ssrc: int | None,
        cname: str,
    ) -> None:
        self.transport = transport
        self.mid = mid
        self.mid_bytes = mid.encode()
        self.kind: Kind = kind
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.cname = cname
        self.fed_by: Source | None = None
        self.anchor = _UNANCHORED
        """Extended source sequence number from which on the deltas hold."""
        self.seq_delta = 0
        self.timestamp_delta = 0
        self.frame_delta: int | None = None
        """None until the first dependency descriptor from the anchor on."""
        self.last_seq = randbits(14)
        """Highest sequence number sent; starts low, away from a wrap (RFC 3711 section 3.3.1)."""
        self.last_timestamp = randbits(32)
        self.last_frame = 0
        """Frame number of the newest dependency descriptor sent. Each source counts its own, and a
        browser throws away a key frame with a lower number than that of an earlier one."""
        self.last_at = 0.0
        self.packets = 0
        """Packets sent."""
        self.octets = 0
        """Payload bytes sent, for sender reports."""
        self.rtx_seq = 0
        self.report_due = False
        """A sender report must tell the new relation of timestamps to wall-clock time."""

    def unanchor(self) -> None:
        """Take up whatever comes next as the continuation of what was sent last."""
        self.anchor = _UNANCHORED


def _take_up(slot: Slot, extended: int, timestamp: int, now: float) -> None:
    """Anchor `slot` at a source's packet: the next sequence number, and a timestamp as far after
    the last one as time has passed."""
    elapsed = int((now - slot.last_at) * CLOCK_RATES[slot.kind])
    slot.anchor = extended
    slot.seq_delta = slot.last_seq + 1 - extended
    slot.timestamp_delta = slot.last_timestamp + max(elapsed, 1) - timestamp
    slot.frame_delta = None
    slot.report_due = True


def send_packet(slot: Slot, packet: bytes, mid_at: int) -> bool:
    """Protect and send one finished RTP packet that is in no source's stream, such as an RTX
    packet; its own mid, if any, gives way to the slot's. False if it was dropped."""
    transport = slot.transport
    address, send = transport.address, transport.send
    if address is None or send is None or transport.srtp_out is None:
        return False
    size = len(packet)
    _tx_view[:size] = packet
    if mid_at:
        _tx_view[mid_at : mid_at + MID_LENGTH] = slot.mid_bytes
    _length[0] = size
    if lib.srtp_protect(transport.srtp_out, _tx, _length):
        transport.counters.dropped["protect_failed"] += 1
        return False
    return _send(transport, send, _tx_view[: _length[0]], address)


def send_rtcp(transport: Transport, compound: bytes) -> bool:
    """Protect and send a compound RTCP packet; False if it was dropped."""
    address, send = transport.address, transport.send
    if address is None or send is None or transport.srtp_out is None:
        return False
    size = len(compound)
    if size > MAX_DATAGRAM:
        transport.counters.dropped["too_long"] += 1
        return False
    _tx_view[:size] = compound
    _length[0] = size
    if lib.srtp_protect_rtcp(transport.srtp_out, _tx, _length):
        transport.counters.dropped["protect_failed"] += 1
        return False
    return _send(transport, send, _tx_view[: _length[0]], address)


def _send(transport: Transport, send: Send, data: memoryview, address: Address) -> bool:
    try:
        send(data, address)
    except BlockingIOError:
        transport.counters.dropped["send_buffer_full"] += 1
    except OSError:
        transport.counters.dropped["unreachable"] += 1
    else:
        return True
    return False


class Forwarder:
    """Empties the sockets, forwards what is RTP, and hands the rest on.

    `on_control` is told each datagram that is no RTP: its sort ("stun", "dtls" or, decrypted,
    "rtcp"), the bytes, where it came from, the socket, the peer's transport where the address is
    known (always for RTCP), and the time in s.
    """

    def __init__(
        self,
        on_control: Callable[[str, bytes, Address, socket.socket, Transport | None, float], None],
    ) -> None:
        self.transports: dict[Address, Transport] = {}
        """Which peer sends from which address, as proven by its connectivity checks."""
        self.counters = Counters()
        """What could not be told to belong to any peer."""
        self._on_control = on_control

    def drain(self, sock: socket.socket) -> None:
        """Handle what waits in `sock`, at most :data:`DATAGRAMS_PER_WAKE` datagrams."""
        receive = sock.recvfrom_into
        transports = self.transports
        view = _rx_view
        for _ in range(DATAGRAMS_PER_WAKE):
            try:
                size, address = receive(view)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error about something sent earlier
                self.counters.dropped["unreachable"] += 1
                continue
            now = monotonic()
            transport = transports.get(address)
            counters = self.counters if transport is None else transport.counters
            counters.received_packets += 1
            counters.received_bytes += size
            if size > MAX_DATAGRAM:
                counters.dropped["too_long"] += 1
                continue
            if size < 4:
                counters.dropped["truncated"] += 1
                continue
            # which protocol, by the first byte (RFC 7983); RTCP by the second (RFC 5761)
            first = view[0]
            if 128 <= first <= 191:
                if transport is None:
                    counters.dropped["unknown_address"] += 1
                elif transport.srtp_in is None:
                    counters.dropped["not_ready"] += 1
                elif 192 <= view[1] <= 223:
                    self._rtcp(transport, size, address, sock, now)
                else:
                    reason = self._rtp(transport, size, now)
                    if reason is not None:
                        counters.dropped[reason] += 1
            elif first <= 3:
                self._on_control("stun", bytes(view[:size]), address, sock, transport, now)
            elif 20 <= first <= 63:
                if transport is None:
                    counters.dropped["unknown_address"] += 1
                else:
                    self._on_control("dtls", bytes(view[:size]), address, sock, transport, now)
            else:
                counters.dropped["unknown_kind"] += 1

    def _rtcp(
        self, transport: Transport, size: int, address: Address, sock: socket.socket, now: float
    ) -> None:
        if size < 8:
            transport.counters.dropped["truncated"] += 1
            return
        (ssrc,) = _U32.unpack_from(_rx_view, 4)
        known = ssrc in transport.reporters
        if not known and len(transport.reporters) >= MAX_REPORTERS:
            transport.counters.dropped["unknown_ssrc"] += 1
            return
        _length[0] = size
        status = lib.srtp_unprotect_rtcp(transport.srtp_in, _rx, _length)
        if status:
            transport.counters.dropped[_DROP_BY_STATUS.get(status, "malformed")] += 1
            return
        if not known:
            transport.reporters.add(ssrc)
        self._on_control("rtcp", bytes(_rx_view[: _length[0]]), address, sock, transport, now)

    def _rtp(self, transport: Transport, size: int, now: float) -> DropReason | None:
        """Forward the SRTP packet in the receive buffer; the reason if it was dropped."""
        view = _rx_view
        if size < 12:
            return "truncated"
        first, second, seq, timestamp, ssrc = _HEADER.unpack_from(view)
        source = transport.sources.get(ssrc)
        if source is None:
            return "unknown_ssrc"
        is_rtx = ssrc == source.rtx_ssrc
        if second & 0x7F != (RTX_PAYLOAD_TYPE if is_rtx else source.payload_type):
            return "unknown_payload_type"
        _length[0] = size
        status = lib.srtp_unprotect(transport.srtp_in, _rx, _length)
        if status:
            return _DROP_BY_STATUS.get(status, "malformed")
        size = _length[0]

        # --- header extensions: read the level, write our send time, find mid and frame number
        header = 12 + 4 * (first & 0x0F)
        mid_at = frame_at = frame = 0
        begins_anew = True  # as far as can be told without a dependency descriptor
        send_time = -1
        if first & 0x10:
            at = header + 4
            if at > size:
                return "truncated"
            profile, words = _EXTENSION.unpack_from(view, header)
            header = at + 4 * words
            if header > size:
                return "truncated"
            if profile != 0xBEDE:
                return "malformed"
            while at < header:
                element = view[at]
                if element == 0:
                    at += 1
                    continue
                length = (element & 0x0F) + 1
                element >>= 4
                at += 1
                if element in (0, 15):  # RFC 8285 section 4.2: stop here
                    break
                if at + length > header:
                    return "malformed"
                if element == AUDIO_LEVEL_ID:
                    if length == 1 and source.kind == "audio":
                        source.level = view[at] & 0x7F
                        source.voice = view[at] >= 0x80
                        source.level_at = now
                elif element == ABS_SEND_TIME_ID:
                    if length == 3:
                        send_time = view[at] << 16 | view[at + 1] << 8 | view[at + 2]
                        ours = int(now * 0x40000) & 0xFFFFFF  # 6.18 fixed point seconds
                        view[at] = ours >> 16
                        view[at + 1] = ours >> 8 & 0xFF
                        view[at + 2] = ours & 0xFF
                elif element == MID_ID:
                    if length != MID_LENGTH or mid_at:  # a second one would reach the sinks
                        return "malformed"
                    mid_at = at
                elif element == DEPENDENCY_DESCRIPTOR_ID and source.kind == "video":
                    if length < DESCRIPTOR_BYTES or frame_at:
                        return "malformed"
                    frame_at = at + 1
                    frame = view[frame_at] << 8 | view[frame_at + 1]
                    # template_dependency_structure_present_flag: only key frames have it
                    begins_anew = length > DESCRIPTOR_BYTES and view[at + DESCRIPTOR_BYTES] >= 0x80
                at += length
        elif header > size:
            return "truncated"
        if send_time >= 0 and source.kind == "video":
            transport.arrivals.append((now, send_time, size, ssrc))

        if is_rtx:
            # undo RFC 4588: the original sequence number stands before the original payload
            payload = size - header
            padding = view[size - 1] if first & 0x20 and payload else 0
            if payload - padding < 3:
                return "padding"
            (seq,) = _U16.unpack_from(view, header)
            view[1] = second & 0x80 | source.payload_type
            packet = bytes(view[:header]) + bytes(view[header + 2 : size])
            size -= 2
        else:
            packet = bytes(view[:size])

        # --- extended sequence number, loss and jitter (RFC 3550 appendix A)
        highest = source.highest
        if highest < 0:
            if is_rtx:
                return "too_old"
            extended = 0x10000 + seq  # so that what comes late before the first stays positive
            source.base = extended
            source.highest = extended
            source.cache_tail = extended
            source.last_transit = now * source.clock_rate - timestamp
        else:
            step = (seq - highest) & 0xFFFF
            if 0 < step < 0x8000:
                if is_rtx:
                    return "too_old"  # a retransmission of what was never sent, or forged
                extended = highest + step
                source.highest = extended
                transit = now * source.clock_rate - timestamp
                deviation = abs(transit - source.last_transit)
                source.last_transit = transit
                if deviation < 450_000:  # beyond this the timestamps jumped
                    source.jitter += (deviation - source.jitter) / 16
                if step > 1:
                    if step > MAX_DROPOUT:
                        for slot in source.sinks:
                            slot.unanchor()
                    if source.on_gap is not None:
                        source.on_gap(source, highest + 1, extended, now)
            else:
                extended = highest - (-step & 0xFFFF)
                # what was emptied from the cache may have been sent already: a second packet
                # under the same number would break the sinks' encryption
                if highest - extended >= CACHE_PACKETS or extended < source.cache_tail:
                    return "too_old"
                source.missing.pop(extended, None)
        place = extended & (CACHE_PACKETS - 1)
        cached = source.cache[place]
        if cached is not None and cached[0] == extended:
            return "duplicate"
        source.cache[place] = (extended, now, packet, mid_at, frame_at)
        source.received += 1

        # --- to every sink whose gate is open
        payload = size - header
        out = _tx_view
        protect = lib.srtp_protect
        length_p = _length
        tx = _tx
        for slot in source.sinks:
            if extended < slot.anchor:
                if slot.anchor != _UNANCHORED or extended != source.highest:
                    continue  # from before the gate opened: its number may be another's
                if not begins_anew:
                    # Browsers drop what refers to a structure that they were not sent, and do not
                    # ask for it. Sources pass over a request that comes right after a key frame.
                    source.key_frame_wanted = True
                    continue
                _take_up(slot, extended, timestamp, now)
            sink = slot.transport
            out_seq = (extended + slot.seq_delta) & 0xFFFF
            out_timestamp = (timestamp + slot.timestamp_delta) & 0xFFFFFFFF
            out[:size] = packet
            _ADDRESSING.pack_into(out, 2, out_seq, out_timestamp, slot.ssrc)
            if mid_at:
                out[mid_at : mid_at + MID_LENGTH] = slot.mid_bytes
            if frame_at:
                delta = slot.frame_delta
                if delta is None:
                    delta = slot.frame_delta = slot.last_frame + FRAME_GAP - frame
                out_frame = (frame + delta) & 0xFFFF
                _U16.pack_into(out, frame_at, out_frame)
            length_p[0] = size
            if protect(sink.srtp_out, tx, length_p):
                sink.counters.dropped["protect_failed"] += 1
                continue
            if (out_seq - slot.last_seq) & 0xFFFF < 0x8000:
                slot.last_seq = out_seq
                slot.last_timestamp = out_timestamp
                slot.last_at = now
                if frame_at:
                    slot.last_frame = out_frame
            try:
                # both are set: `sinks` has slots of ready peers only
                sink.send(out[: length_p[0]], sink.address)  # type: ignore[misc,arg-type]
            except BlockingIOError:
                sink.counters.dropped["send_buffer_full"] += 1
            except OSError:
                sink.counters.dropped["unreachable"] += 1
            else:
                slot.packets += 1
                slot.octets += payload
        return None
