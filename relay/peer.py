"""One participant's connection to the relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from secrets import randbits
from typing import Literal

from aiortc.rtcdtlstransport import RTCCertificate

from relay.counters import Counters
from relay.dtls import DtlsEndpoint, Fingerprint, fingerprint_of
from relay.feedback import Feedback, note_gap
from relay.forward import Slot, Source, Transport
from relay.ice import Address, LiteAgent
from relay.profile import MID_LENGTH, Kind

PeerState = Literal["new", "connecting", "connected", "gone"]


@dataclass(frozen=True)
class LocalParameters:
    """What the offer tells the peer of the relay."""

    ice_ufrag: str
    ice_pwd: str
    fingerprint: Fingerprint
    candidates: list[tuple[str, int]]
    """Address and port of each host candidate."""


@dataclass(frozen=True)
class SourceSsrcs:
    main: int
    rtx: int | None = None


@dataclass(frozen=True)
class RemoteParameters:
    """What the answer tells the relay of the peer."""

    ice_ufrag: str
    ice_pwd: str
    fingerprints: list[Fingerprint]
    ssrcs: dict[str, SourceSsrcs]
    """By mid of the source; a source that is not named will send nothing."""


class Peer:
    """A connection, its sources and its slots; made by `Relay.add_peer`."""

    def __init__(
        self,
        peer_id: str,
        certificate: RTCCertificate,
        candidates: list[tuple[str, int]],
        on_state: Callable[[PeerState], None],
        now: float,
    ) -> None:
        self.id = peer_id
        self.state: PeerState = "new"
        self.sources: dict[str, Source] = {}
        """By mid."""
        self.slots: dict[str, Slot] = {}
        """By mid."""
        self.transport = Transport()
        self.feedback = Feedback(self.transport)
        self.agent = LiteAgent()
        self.dtls = DtlsEndpoint(certificate, self._send_dtls, self._dtls_closed)
        self.addresses: dict[Address, None] = {}
        """Where valid checks came from, oldest first."""
        self.heard_at = now
        """When the peer last gave its consent (RFC 7675), in s."""
        self.handshake: asyncio.Task[None] | None = None
        self._fingerprint = fingerprint_of(certificate)
        self._candidates = candidates
        self._on_state = on_state
        self._remote: RemoteParameters | None = None

    @property
    def local(self) -> LocalParameters:
        return LocalParameters(
            ice_ufrag=self.agent.local.ufrag,
            ice_pwd=self.agent.local.pwd,
            fingerprint=self._fingerprint,
            candidates=self._candidates,
        )

    def add_source(self, mid: str, kind: Kind) -> Source:
        """Let the peer send a stream on the m-line `mid`."""
        self._check_mid(mid)
        source = Source(self.transport, mid, kind, note_gap if kind == "video" else None)
        self.sources[mid] = source
        self.feedback.sources.append(source)
        return source

    def add_slot(self, mid: str, kind: Kind, cname: str) -> Slot:
        """Let the peer receive a stream on the m-line `mid`.

        Slots that are to play in sync share a `cname` (RFC 7022).
        """
        self._check_mid(mid)
        ssrc = self._new_ssrc()
        rtx_ssrc = self._new_ssrc() if kind == "video" else None
        slot = Slot(self.transport, mid, kind, ssrc, rtx_ssrc, cname)
        self.slots[mid] = slot
        self.feedback.slots[ssrc] = slot
        return slot

    def _check_mid(self, mid: str) -> None:
        if len(mid.encode()) != MID_LENGTH or mid in self.sources or mid in self.slots:
            raise ValueError(f"mid {mid!r} is taken or is not {MID_LENGTH} bytes long")

    def _new_ssrc(self) -> int:
        taken = {slot.ssrc for slot in self.slots.values()}
        taken |= {slot.rtx_ssrc for slot in self.slots.values() if slot.rtx_ssrc is not None}
        while (ssrc := randbits(32)) in taken or ssrc == 0:
            pass
        return ssrc

    def counters(self) -> Counters:
        """What was counted so far; what was sent is counted by slot."""
        total = Counters()
        total.add(self.transport.counters)
        total.sent_packets = sum(slot.packets for slot in self.slots.values())
        total.sent_payload_bytes = sum(slot.octets for slot in self.slots.values())
        return total

    def take_remote(self, remote: RemoteParameters) -> bool:
        """Remember the answer's parameters; True if it is the first answer.

        Raises ValueError if a source is unknown, an SSRC is named twice, or an answer to an ICE
        restart changes more than the ICE credentials.
        """
        known = self._remote
        if known is not None:
            if set(known.fingerprints) != set(remote.fingerprints) or known.ssrcs != remote.ssrcs:
                raise ValueError("an ICE restart changes no fingerprint and no SSRC")
        else:
            by_ssrc: dict[int, Source] = {}
            for mid, ssrcs in remote.ssrcs.items():
                source = self.sources.get(mid)
                if source is None:
                    raise ValueError(f"there is no source {mid!r}")
                for ssrc in (ssrcs.main, ssrcs.rtx):
                    if ssrc is None:
                        continue
                    if ssrc in by_ssrc:
                        raise ValueError("an SSRC is named twice")
                    by_ssrc[ssrc] = source
            for mid, ssrcs in remote.ssrcs.items():
                self.sources[mid].ssrc = ssrcs.main
                self.sources[mid].rtx_ssrc = ssrcs.rtx
            self.transport.sources = by_ssrc
        self._remote = remote
        self.agent.remote_ufrag = remote.ice_ufrag
        return known is None

    def set_state(self, state: PeerState) -> None:
        """Tell of a new state; nothing comes after "gone"."""
        if state != self.state and self.state != "gone":
            self.state = state
            self._on_state(state)

    def _send_dtls(self, datagram: bytes) -> None:
        if self.transport.send is not None and self.transport.address is not None:
            try:
                self.transport.send(datagram, self.transport.address)
            except OSError:
                self.transport.counters.dropped["unreachable"] += 1

    def _dtls_closed(self) -> None:
        self.set_state("gone")
