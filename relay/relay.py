"""The media plane as the rest of the server sees it: peers, slots fed by sources, and gates."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any

from aioice import stun
from aiortc.rtcdtlstransport import RTCCertificate

from relay import feedback
from relay.counters import Counters, RelayStats
from relay.dtls import DtlsError
from relay.forward import CACHE_PACKETS, CACHE_S, Forwarder, Slot, Source, Transport
from relay.ice import Address, requested_ufrag
from relay.peer import Peer, PeerState, RemoteParameters
from relay.port import Port, candidates

CONSENT_TIMEOUT_S = 30.0
"""A peer that sends no valid check for so long is gone (RFC 7675 section 5.1)."""

MAX_ADDRESSES = 16
"""Addresses remembered per peer; the oldest gives way."""

_TICK_S = 0.02
_ESTIMATE_TICKS = 5
_SECOND_TICKS = 50

_log = logging.getLogger(__name__)


class Relay:
    """One UDP port and the peers behind it. Make one with :meth:`open`."""

    def __init__(self, bind: Sequence[str], port: int, announce: Sequence[str]) -> None:
        self._forwarder = Forwarder(self._control)
        self._port = Port(bind, port, self._forwarder.drain)
        self._certificate = RTCCertificate.generateCertificate()
        self._candidates = candidates(self._port.sockets, announce)
        self._peers: dict[str, Peer] = {}
        self._by_transport: dict[Transport, Peer] = {}
        self._by_ufrag: dict[str, Peer] = {}
        self._departed = Counters()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker = asyncio.create_task(self._tick_forever(), name="relay tick")
        self.closed = False

    @classmethod
    async def open(cls, bind: Sequence[str], port: int, announce: Sequence[str]) -> Relay:
        """Open the port.

        `bind` has the local addresses, IPv4 and IPv6; `port` 0 takes any; `announce` has further
        addresses under which peers reach the port. Raises OSError.
        """
        return cls(bind, port, announce)

    @property
    def port(self) -> int:
        return self._port.number

    async def close(self) -> None:
        """Say goodbye to all peers and close the port."""
        if self.closed:
            return
        self.closed = True
        for peer in list(self._peers.values()):
            self.remove_peer(peer)
        self._ticker.cancel()
        await asyncio.gather(self._ticker, *self._tasks, return_exceptions=True)
        self._port.close()

    # --- peers ---------------------------------------------------------------------------------

    def add_peer(self, peer_id: str, *, on_state: Callable[[PeerState], None]) -> Peer:
        """Make room for a peer; `peer_id` names it in :meth:`stats`.

        `on_state` is called with each new state and must not block. Raises ValueError if there is
        a peer of that id.
        """
        if peer_id in self._peers:
            raise ValueError("a peer has this id already")

        def changed(state: PeerState) -> None:
            if state == "gone":
                self._silence(peer)
            on_state(state)

        peer = Peer(peer_id, self._certificate, self._candidates, changed, monotonic())
        self._peers[peer_id] = peer
        self._by_transport[peer.transport] = peer
        self._by_ufrag[peer.agent.local.ufrag] = peer
        return peer

    def accept(self, peer: Peer, remote: RemoteParameters) -> None:
        """Take in the peer's answer, and let it connect. Raises ValueError if it does not fit."""
        if peer.take_remote(remote) and self._peers.get(peer.id) is peer:
            peer.set_state("connecting")
            peer.handshake = self._spawn(self._connect(peer, remote), "relay handshake")

    def restart_ice(self, peer: Peer) -> None:
        """Give the peer new ICE credentials; the old hold until the new are used."""
        if self._peers.get(peer.id) is not peer:
            return
        before = peer.agent.ufrags
        peer.agent.restart()
        self._know_ufrags(peer, before)

    def remove_peer(self, peer: Peer) -> None:
        """Forget the peer: it sends and receives nothing from now on."""
        if self._peers.get(peer.id) is not peer:
            return
        del self._peers[peer.id]
        for source in peer.sources.values():
            for slot in list(source.fed_slots):
                self.feed(slot, None)
        for slot in peer.slots.values():
            self._detach(slot)
        for source in peer.sources.values():
            source.open_to.clear()
        for other in self._peers.values():
            for source in other.sources.values():
                source.open_to.discard(peer.transport)
        for address in peer.addresses:
            if self._forwarder.transports.get(address) is peer.transport:
                del self._forwarder.transports[address]
        for ufrag in peer.agent.ufrags:
            self._by_ufrag.pop(ufrag, None)
        del self._by_transport[peer.transport]
        self._departed.add(peer.counters())
        self._spawn(self._disconnect(peer), "relay goodbye")
        peer.set_state("gone")

    def stats(self) -> RelayStats:
        return RelayStats(
            peers={peer.id: peer.counters().snapshot() for peer in self._peers.values()},
            dropped=dict(self._forwarder.counters.dropped),
            departed=self._departed.snapshot(),
        )

    # --- who hears and sees whom ---------------------------------------------------------------

    def feed(self, slot: Slot, source: Source | None) -> None:
        """Let `source` appear in `slot` (as far as its gate is open), or empty the slot."""
        if slot.fed_by is source:
            return
        if source is not None and source.kind != slot.kind:
            raise ValueError(f"a slot for {slot.kind} cannot be fed with {source.kind}")
        self._detach(slot)
        if source is None:
            if (sink := self._by_transport.get(slot.transport)) is not None:
                sink.feedback.goodbye(slot)
            return
        slot.fed_by = source
        source.fed_slots.append(slot)
        self._refresh(source)

    def set_gate(self, source: Source, sink: Peer, is_open: bool) -> None:
        """Open or close the gate from `source` towards `sink`, from the next packet on.

        Opening a video gate asks the source for a key frame.
        """
        if is_open:
            source.open_to.add(sink.transport)
        else:
            source.open_to.discard(sink.transport)
        self._refresh(source)

    def _detach(self, slot: Slot) -> None:
        if slot.fed_by is not None:
            source, slot.fed_by = slot.fed_by, None
            source.fed_slots.remove(slot)
            self._refresh(source)

    def _refresh(self, source: Source) -> None:
        """Make the source's row of the gate table anew."""
        before = source.sinks
        source.sinks = tuple(
            slot
            for slot in source.fed_slots
            if slot.transport in source.open_to and slot.transport.ready
        )
        opened = [slot for slot in source.sinks if slot not in before]
        for slot in opened:
            slot.unanchor()
        if opened and source.kind == "video":
            feedback.request_key_frame(source, monotonic())

    # --- connecting ----------------------------------------------------------------------------

    async def _connect(self, peer: Peer, remote: RemoteParameters) -> None:
        try:
            srtp_in, srtp_out = await peer.dtls.handshake(remote.fingerprints)
        except DtlsError as error:
            _log.info("DTLS handshake of a peer failed: %s", error)
            peer.set_state("gone")
            return
        if peer.state == "gone":
            return
        peer.transport.srtp_in = srtp_in
        peer.transport.srtp_out = srtp_out
        self._readiness_changed(peer)
        peer.set_state("connected")

    async def _disconnect(self, peer: Peer) -> None:
        if peer.handshake is not None:
            peer.dtls.abort()
            peer.handshake.cancel()
            await asyncio.wait([peer.handshake])
        await peer.dtls.close()

    def _silence(self, peer: Peer) -> None:
        """Send the peer no more media and take none from it (RFC 7675 section 5.1).

        Packets that are still on their way must find no keys, before the contexts are freed.
        """
        peer.transport.srtp_in = peer.transport.srtp_out = None
        self._readiness_changed(peer)

    def _readiness_changed(self, peer: Peer) -> None:
        for slot in peer.slots.values():
            if slot.fed_by is not None:
                self._refresh(slot.fed_by)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a task of the relay failed", exc_info=error)

    # --- what is no media ----------------------------------------------------------------------

    def _control(
        self,
        sort: str,
        data: bytes,
        address: Address,
        sock: socket.socket,
        transport: Transport | None,
        now: float,
    ) -> None:
        if sort == "stun":
            self._receive_stun(data, address, sock, now)
            return
        assert transport is not None
        peer = self._by_transport[transport]
        if sort == "dtls":
            if not peer.dtls.receive(data):
                transport.counters.dropped["dtls_queue_full"] += 1
            return
        if not peer.feedback.admit(len(data)):
            transport.counters.dropped["rtcp_flood"] += 1
            return
        packets = feedback.parse(data)
        if packets is None:
            transport.counters.dropped["malformed"] += 1
        else:
            peer.feedback.receive(packets, now)

    def _receive_stun(self, data: bytes, address: Address, sock: socket.socket, now: float) -> None:
        try:
            request = stun.parse_message(data)
        except (ValueError, struct.error, IndexError):
            self._forwarder.counters.dropped["bad_stun"] += 1
            return
        ufrag = requested_ufrag(request)
        peer = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if peer is None:
            self._forwarder.counters.dropped["bad_credentials"] += 1
            return
        before = peer.agent.ufrags
        answered = peer.agent.answer(request, address)
        if answered is None:
            self._forwarder.counters.dropped["bad_credentials"] += 1
            return
        self._know_ufrags(peer, before)
        if answered.accepted:
            self._heard(peer, address, sock, answered.nominated, now)
        try:
            sock.sendto(answered.response, address)
        except OSError:
            peer.transport.counters.dropped["unreachable"] += 1

    def _know_ufrags(self, peer: Peer, before: list[str]) -> None:
        """Recognise the peer by its present user name fragments, which may have changed."""
        now = peer.agent.ufrags
        if now != before:
            for ufrag in before:
                self._by_ufrag.pop(ufrag, None)
            for ufrag in now:
                self._by_ufrag[ufrag] = peer

    def _heard(
        self, peer: Peer, address: Address, sock: socket.socket, nominated: bool, now: float
    ) -> None:
        """Note a valid check: the peer consents, and `address` is one of its own."""
        peer.heard_at = now
        transport = peer.transport
        if self._forwarder.transports.get(address) is not transport:
            previous = self._forwarder.transports.get(address)
            if previous is not None:
                self._by_transport[previous].addresses.pop(address, None)
            self._forwarder.transports[address] = transport
            peer.addresses[address] = None
            if len(peer.addresses) > MAX_ADDRESSES:
                oldest = next(a for a in peer.addresses if a != transport.address)
                del peer.addresses[oldest]
                del self._forwarder.transports[oldest]
        if nominated or transport.address is None:
            was_ready = transport.ready
            transport.address = address
            transport.send = sock.sendto
            if not was_ready:
                self._readiness_changed(peer)

    # --- time ----------------------------------------------------------------------------------

    async def _tick_forever(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_S)
            ticks += 1
            self._tick(monotonic(), ticks)

    def _tick(self, now: float, ticks: int) -> None:
        # each peer's turn for the longer work comes in another tick, so that no tick is a long one
        for turn, peer in enumerate(list(self._peers.values()), start=ticks):
            try:
                _tick_peer(peer, now, turn)
            except Exception:  # no peer shall keep the others from their turn
                _log.exception("a peer's tick failed")


def _tick_peer(peer: Peer, now: float, turn: int) -> None:
    if turn % _SECOND_TICKS == 0 and now - peer.heard_at > CONSENT_TIMEOUT_S:
        peer.set_state("gone")
    if not peer.transport.ready:
        return
    peer.feedback.tick(now)
    if turn % _ESTIMATE_TICKS == 0:
        peer.feedback.estimate()
        _empty_caches(peer, now)
    if turn % _SECOND_TICKS == 0:
        peer.feedback.report(now)


def _empty_caches(peer: Peer, now: float) -> None:
    """Give back the memory of what is too old to be asked for."""
    for source in peer.sources.values():
        # what lies further back than the ring is long was written over already
        at = max(source.cache_tail, source.highest - CACHE_PACKETS + 1)
        while at <= source.highest:
            place = at & (CACHE_PACKETS - 1)
            cached = source.cache[place]
            if cached is not None and cached[0] <= at:
                if now - cached[1] <= CACHE_S:
                    break
                source.cache[place] = None
            at += 1
        source.cache_tail = at
