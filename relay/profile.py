"""The one media profile every participant of a room shares.

All peers use the same payload types and header extension ids, since the relay makes every offer.
So a packet can be passed on as it came, with only its addressing rewritten.
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["audio", "video"]

OPUS_PAYLOAD_TYPE: Final = 111
VP8_PAYLOAD_TYPE: Final = 96
RTX_PAYLOAD_TYPE: Final = 97
"""Retransmissions of VP8 (RFC 4588)."""

PAYLOAD_TYPES: Final[dict[Kind, int]] = {"audio": OPUS_PAYLOAD_TYPE, "video": VP8_PAYLOAD_TYPE}
CLOCK_RATES: Final[dict[Kind, int]] = {"audio": 48_000, "video": 90_000}
"""RTP clock in Hz (RFC 7587 for Opus, RFC 7741 for VP8)."""

AUDIO_LEVEL_ID: Final = 1
ABS_SEND_TIME_ID: Final = 2
MID_ID: Final = 3
DEPENDENCY_DESCRIPTOR_ID: Final = 4

_EVERYWHERE: Final = {
    ABS_SEND_TIME_ID: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    MID_ID: "urn:ietf:params:rtp-hdrext:sdes:mid",
}
EXTENSIONS: Final[dict[Kind, dict[int, str]]] = {
    "audio": {AUDIO_LEVEL_ID: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"} | _EVERYWHERE,
    "video": _EVERYWHERE
    | {
        DEPENDENCY_DESCRIPTOR_ID: "https://aomediacodec.github.io/av1-rtp-spec/"
        "#dependency-descriptor-rtp-header-extension",
    },
}
"""Header extension ids and their URIs (abs-send-time, RFC 9143, RFC 6464 for the audio level; the
dependency descriptor is appendix A of AV1's RTP payload format)."""

MID_LENGTH: Final = 2
"""Every mid has two characters, so that one can be written over another in place."""

MAX_DATAGRAM: Final = 1_500
"""Longest datagram in bytes that is looked at."""
