"""The media plane: one UDP port, ICE-lite, DTLS-SRTP, and forwarding through gates.

It knows nothing of HTTP, Socket.IO, SDP or the rules of a session.
"""

from relay.counters import DropReason, PeerStats, RelayStats
from relay.dtls import Fingerprint
from relay.forward import Slot, Source
from relay.peer import LocalParameters, Peer, PeerState, RemoteParameters, SourceSsrcs
from relay.relay import Relay

__all__ = [
    "DropReason",
    "Fingerprint",
    "LocalParameters",
    "Peer",
    "PeerState",
    "PeerStats",
    "Relay",
    "RelayStats",
    "RemoteParameters",
    "Slot",
    "Source",
    "SourceSsrcs",
]
