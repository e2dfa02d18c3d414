"""``/metrics`` in Prometheus's text format: numbers only, no rooms' or people's names."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from relay import PeerStats, Relay
from server.rooms import Rooms
from signaling.namespace import Wire

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class HoldspaceCollector(Collector):
    """Reads the numbers where they are kept, at the time of the scrape."""

    def __init__(self, relay: Relay, rooms: Rooms, wire: Wire) -> None:
        self._relay = relay
        self._rooms = rooms
        self._wire = wire

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("holdspace_rooms", "Rooms open.", len(self._rooms.rooms))
        yield GaugeMetricFamily(
            "holdspace_participants", "People in rooms.", self._rooms.participants
        )
        yield GaugeMetricFamily(
            "holdspace_connections", "Browser pages connected.", self._wire.connections
        )
        yield _by_label("holdspace_refusals", "Requests refused.", "code", self._wire.refusals)
        yield _by_label(
            "holdspace_connections_dropped",
            "Connections closed for misbehaving.",
            "reason",
            self._wire.dropped,
        )
        yield from self._relay_metrics()

    def _relay_metrics(self) -> Iterator[Metric]:
        """By participant, under an id that is random for each connection.

        Those who left are summed up under "departed", so that sums over all never fall.
        """
        stats = self._relay.stats()
        peers = {**stats.peers, "departed": stats.departed}
        yield GaugeMetricFamily(
            "holdspace_relay_peers", "Media connections, also such as form.", len(stats.peers)
        )
        for name, meaning in _RELAY_COUNTERS.items():
            family = CounterMetricFamily(f"holdspace_relay_{name}", meaning, labels=["participant"])
            for participant, peer in peers.items():
                family.add_metric([participant], _number(peer, name))
            yield family
        dropped = CounterMetricFamily(
            "holdspace_relay_dropped_packets",
            "Packets not passed on; without a participant where it is not known whose they were.",
            labels=["participant", "reason"],
        )
        reasons = {participant: peer.dropped for participant, peer in peers.items()}
        for participant, counts in {"": stats.dropped, **reasons}.items():
            for reason, count in counts.items():
                dropped.add_metric([participant, reason], count)
        yield dropped


_RELAY_COUNTERS = {
    "received_packets": "Media packets received.",
    "received_bytes": "Bytes of media packets received.",
    "sent_packets": "Media packets sent.",
    "sent_payload_bytes": "Payload bytes of media packets sent.",
    "retransmitted_packets": "Packets sent again because they were asked for.",
    "key_frame_requests": "Key frames asked for.",
}


def _number(peer: PeerStats, name: str) -> int:
    value = getattr(peer, name)
    assert isinstance(value, int)
    return value


def _by_label(
    name: str, meaning: str, label: str, counts: Mapping[str, int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def add_metrics(app: web.Application, collector: HoldspaceCollector, token: str | None) -> None:
    """Serve ``/metrics``: to the bearer of ``token`` or, without one, to this machine only."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)

    async def metrics(request: web.Request) -> web.Response:
        if token is not None:
            # Bytes that are no UTF-8 come as surrogates.
            given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                raise web.HTTPUnauthorized(
                    text="The metrics need their token.\n", headers={"WWW-Authenticate": "Bearer"}
                )
        elif not is_from_this_machine(request):
            raise web.HTTPForbidden(text="Without a token, only this machine may see this.\n")
        return web.Response(
            body=generate_latest(registry),
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"},
        )

    app.router.add_get("/metrics", metrics)


def is_from_this_machine(request: web.Request) -> bool:
    """Whether the request comes over loopback and was not forwarded for someone else."""
    if any(
        header in request.headers
        for header in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
    ):
        return False
    return request.remote is not None and ip_address(request.remote).is_loopback
