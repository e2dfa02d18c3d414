"""A slot's one unbroken run, whatever its sources, its gate and the network do.

The model: sources number their packets without end. Of what arrives, a packet is *late* if a
higher one of the same source arrived before it. Then

- no two packets of a slot have the same sequence number, and SRTP takes each of them,
- a packet in order follows the last one sent: after the gate opened, another source took over or
  a source jumped, by one; otherwise by as much as at the source, so that gaps stay visible,
- a late packet is sent under the number that was left free for it, or never if that was before
  the slot took the source up,
- timestamps move as at the source, and forward where the source is taken up,
- so do the frame numbers in dependency descriptors.
"""

from __future__ import annotations

from typing import Any, Literal
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from relay import forward
from relay.forward import FRAME_GAP, MAX_DROPOUT, Forwarder, Slot, Source, Transport
from relay.ice import Address
from tests.relay.packets import OPUS, VP8, Rtp, descriptor, frame_of, read_rtp, rtp

Kind = Literal["audio", "video"]
Ops = list[tuple[str, int]]
"""What happens, and how often or how long."""

STEP = 960


def session(direction: int) -> Session:
    policy = Policy(bytes(range(44)), direction, 0, Policy.SRTP_PROFILE_AEAD_AES_256_GCM)
    policy.window_size = 1_024
    policy.allow_repeat_tx = direction == Policy.SSRC_ANY_OUTBOUND
    return Session(policy)


class Wire:
    """What the forwarder takes for a socket."""

    def __init__(self) -> None:
        self.waiting: list[tuple[bytes, Address]] = []

    def recvfrom_into(self, view: memoryview) -> tuple[int, Address]:
        if not self.waiting:
            raise BlockingIOError
        data, address = self.waiting.pop(0)
        view[: len(data)] = data
        return len(data), address


class Speaker:
    def __init__(self, name: str, kind: Kind, seq: int, stamp: int) -> None:
        self.address: Address = (name, 1)
        self.transport = Transport()
        self.session = session(Policy.SSRC_ANY_OUTBOUND)
        self.keys = session(Policy.SSRC_ANY_INBOUND)
        self.transport.srtp_in = self.keys._srtp[0]
        self.source = Source(self.transport, "mi", kind, None)
        self.source.ssrc = 5
        self.transport.sources[5] = self.source
        self.payload_type = OPUS if kind == "audio" else VP8
        self.next = seq
        self.stamp = stamp
        self.held: list[tuple[int, bytes]] = []
        self.last: bytes = b""

    def make(self) -> tuple[int, bytes]:
        """The next number, and the packet, protected; its payload says which it is."""
        number, self.next = self.next, self.next + 1
        packet = rtp(
            5,
            number,
            (self.stamp + STEP * number) & 0xFFFFFFFF,
            number.to_bytes(8, "big"),
            payload_type=self.payload_type,
            extensions=[descriptor(self.stamp + number)] if self.payload_type == VP8 else (),
        )
        return number, self.session.protect(packet)


class Run:
    """Plays operations, and checks each packet that comes out."""

    def __init__(self, kind: Kind, seqs: list[int], stamps: list[int]) -> None:
        self.now = 50.0
        self.forwarder = Forwarder(lambda *_: None)
        self.speakers = [
            Speaker(f"s{n}", kind, seq, stamp)
            for n, (seq, stamp) in enumerate(zip(seqs, stamps, strict=True))
        ]
        for speaker in self.speakers:
            self.forwarder.transports[speaker.address] = speaker.transport
        self.sent: list[bytes] = []
        sink = Transport()
        self.sink_keys = session(Policy.SSRC_ANY_OUTBOUND)
        sink.srtp_out, sink.address = self.sink_keys._srtp[0], ("sink", 1)
        sink.send = self.collect
        self.opener = session(Policy.SSRC_ANY_INBOUND)
        self.slot = Slot(sink, "a0", kind, 99, None, "c")
        self.slot.last_seq = seqs[0] & 0xFFFF
        self.wire = Wire()
        self.current = 0
        self.is_open = False
        self.highest: dict[int, int] = {}
        self.out: dict[int, int] = {}
        """Sequence numbers given, without end, by number at the source in the present run."""
        self.taken: set[int] = set()
        self.last_out = self.slot.last_seq
        self.last_stamp: int | None = None
        self.last_frame = 0
        self.expecting_start = True
        self.base = 0
        for speaker in self.speakers:  # SRTP cannot begin on the far side of a wrap
            self.arrive(speaker, *speaker.make())

    def collect(self, data: memoryview | bytes, _: Address) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def set_gate(self, is_open: bool) -> None:
        """As `Relay._refresh` does."""
        for n, speaker in enumerate(self.speakers):
            shown = is_open and n == self.current
            if shown and self.slot not in speaker.source.sinks:
                self.slot.unanchor()
                self.expecting_start = True
            speaker.source.sinks = (self.slot,) if shown else ()
        self.is_open = is_open

    def arrive(self, speaker: Speaker, number: int, data: bytes, *, again: bool = False) -> None:
        self.now += 0.001
        self.wire.waiting.append((data, speaker.address))
        sock: Any = self.wire
        self.forwarder.drain(sock)
        self.check(speaker, number, again)

    def check(self, speaker: Speaker, number: int, again: bool) -> None:
        n = self.speakers.index(speaker)
        packets = [read_rtp(self.opener.unprotect(data)) for data in self.sent]
        self.sent.clear()
        highest = self.highest.get(n)
        in_order = highest is None or number > highest
        if in_order:
            self.highest[n] = number
        if again or not self.is_open or n != self.current:
            assert packets == []
            return
        if in_order:
            (packet,) = packets
            jumped = highest is not None and number - highest > MAX_DROPOUT
            if self.expecting_start or jumped:
                self.base = number - (self.last_out + 1)
                self.out.clear()
                assert self.moves_forward(packet)
                self.offset = packet.timestamp - STEP * number
                self.frame_offset = self.last_frame + FRAME_GAP - number
            self.last_out = number - self.base
            self.last_stamp = packet.timestamp
            self.last_frame = number + self.frame_offset
            self.expecting_start = False
        else:
            first = min(self.out, default=None)
            if self.expecting_start or first is None or number < first:
                assert packets == []
                return
            (packet,) = packets
        assert int.from_bytes(packet.payload, "big") == number
        assert packet.seq == (number - self.base) & 0xFFFF
        assert packet.timestamp == (self.offset + STEP * number) & 0xFFFFFFFF
        if packet.payload_type == VP8:
            assert frame_of(packet) == (number + self.frame_offset) & 0xFFFF
        assert packet.ssrc == 99
        self.out[number] = number - self.base
        assert self.out[number] not in self.taken
        self.taken.add(self.out[number])

    def moves_forward(self, packet: Rtp) -> bool:
        return (
            self.last_stamp is None
            or 0 < (packet.timestamp - self.last_stamp) & 0xFFFFFFFF < 1 << 31
        )

    def play(self, op: str, count: int) -> None:
        speaker = self.speakers[self.current]
        if op == "send":
            for _ in range(count):
                number, data = speaker.make()
                speaker.last = data
                self.arrive(speaker, number, data)
        elif op == "lose":
            for _ in range(count):
                speaker.make()
        elif op == "hold":
            speaker.held += [speaker.make() for _ in range(count)]
        elif op == "late":
            held, speaker.held = speaker.held[:count], speaker.held[count:]
            for number, data in reversed(held):
                if self.highest.get(n := self.current, number) - number < 900 and n in self.highest:
                    self.arrive(speaker, number, data)
        elif op == "twice" and speaker.last:
            self.arrive(speaker, self.highest[self.current], speaker.last, again=True)
        elif op == "gate":
            self.set_gate(not self.is_open)
        elif op == "switch":
            self.current = count % len(self.speakers)
            self.set_gate(self.is_open)
        elif op == "jump":
            for _ in range(MAX_DROPOUT + count):
                speaker.make()
            speaker.held.clear()
            self.play("send", 1)  # SRTP itself survives no longer a silence than 32,767
        elif op == "wait":
            self.now += count


operations = st.lists(
    st.tuples(
        st.sampled_from(
            ["send", "send", "hold", "late", "lose", "twice", "gate", "switch", "wait"]
        ),
        st.integers(1, 12),
    ),
    max_size=40,
)


def play(kind: Kind, seqs: list[int], stamps: list[int], ops: Ops) -> None:
    run = Run(kind, seqs, stamps)
    with patch.object(forward, "monotonic", lambda: run.now):
        run.set_gate(True)
        for op, count in ops:
            run.play(op, count)


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["audio", "video"]),
    seqs=st.lists(st.integers(65_436, 65_535) | st.integers(0, 65_535), min_size=2, max_size=2),
    stamps=st.lists(st.integers(0, (1 << 32) - 1), min_size=2, max_size=2),
    ops=operations,
)
@example("audio", [65_530, 0], [(1 << 32) - 9_600, 0], [("send", 10), ("hold", 2), ("send", 10)])
@example("video", [0, 9], [0, 7], [("hold", 3), ("send", 1), ("gate", 1), ("late", 3), ("send", 2)])
@example(
    "audio", [65_436, 0], [0, 0], [("hold", 1), ("gate", 1), ("send", 1), ("gate", 1), ("late", 1)]
)
def test_a_slot_is_one_unbroken_run(
    kind: Kind, seqs: list[int], stamps: list[int], ops: Ops
) -> None:
    play(kind, seqs, stamps, ops)


@settings(max_examples=10)
@given(
    ops=st.lists(
        st.tuples(st.sampled_from(["send", "jump", "gate", "switch"]), st.integers(1, 5)),
        max_size=15,
    )
)
def test_a_jump_at_the_source_is_none_at_the_slot(ops: Ops) -> None:
    play("video", [60_000, 1], [0, 0], ops)


def test_both_numbers_wrap_and_nothing_shows() -> None:
    play("audio", [65_000, 0], [(1 << 32) - 48_000, 0], [("send", 12)] * 6_000)
