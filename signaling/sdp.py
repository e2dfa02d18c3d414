"""The server's SDP offer and the browser's answer to it (RFC 8866, RFC 9429).

The server always offers, so that everyone in a room has the same payload types and header
extension ids, and the answer only has to be checked, never negotiated about. The layout of the
offer stands in ``docs/architecture.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiortc.sdp import MediaDescription, SessionDescription

from relay.profile import (
    CLOCK_RATES,
    DEPENDENCY_DESCRIPTOR_ID,
    EXTENSIONS,
    OPUS_PAYLOAD_TYPE,
    PAYLOAD_TYPES,
    RTX_PAYLOAD_TYPE,
    VP8_PAYLOAD_TYPE,
    Kind,
)
from signaling.refusal import Refused

SOURCE_MIDS: Final[dict[str, Kind]] = {"mi": "audio", "ca": "video", "sc": "video"}
"""What a participant may send: microphone, camera, shared screen."""

SCREEN_MID: Final = "s0"
"""The slot on which the one screen shared in the room arrives."""

_FINGERPRINT_BYTES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
_ICE_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_ICE_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_MAX_LINE_CHARS = 2_000


class Ssrcs(NamedTuple):
    main: int
    rtx: int | None


def audio_mid(slot: int) -> str:
    """The mid on which the audio of the person in ``slot`` (0 to 15) arrives."""
    return f"a{slot:x}"


def video_mid(slot: int) -> str:
    """The mid on which the camera of the person in ``slot`` (0 to 15) arrives."""
    return f"v{slot:x}"


def slot_mids(capacity: int) -> dict[str, Kind]:
    """The receiving m-lines of a room for ``capacity`` people, in the offer's order."""
    mids = [mid for slot in range(capacity) for mid in (audio_mid(slot), video_mid(slot))]
    return {mid: _slot_kind(mid) for mid in (*mids, SCREEN_MID)}


def stream_of(mid: str) -> str:
    """The media stream, and RTCP CNAME, of a receiving m-line.

    Audio and video of one person share it, so that the browser keeps them in lip sync.
    """
    return "screen" if mid == SCREEN_MID else f"slot-{int(mid[1:], 16)}"


@dataclass(frozen=True)
class Offer:
    """What goes into an offer; :meth:`sdp` writes it."""

    session_id: int
    """The same for all offers to one peer connection."""
    version: int
    """Greater with each offer to the same peer connection."""
    ice_ufrag: str
    ice_pwd: str
    fingerprint: tuple[str, str]
    """Hash name and value of the DTLS certificate (RFC 8122)."""
    candidates: Iterable[tuple[str, int]]
    """Host candidates: address and UDP port, the best first."""
    slots: Mapping[str, Ssrcs]
    """By mid, in order, the receiving m-lines with the SSRCs that the relay sends on them."""

    def sdp(self) -> str:
        mids = [*SOURCE_MIDS, *self.slots]
        lines = [
            "v=0",
            f"o=- {self.session_id} {self.version} IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            f"a=group:BUNDLE {' '.join(mids)}",
            "a=msid-semantic: WMS *",
            "a=ice-lite",
        ]
        for mid, kind in SOURCE_MIDS.items():
            lines += [*self._media(mid, kind), "a=recvonly"]
        for mid, ssrcs in self.slots.items():
            kind = _slot_kind(mid)
            lines += [*self._media(mid, kind), "a=sendonly", *_stream(mid, kind, ssrcs)]
        return "\r\n".join(lines) + "\r\n"

    def _media(self, mid: str, kind: Kind) -> list[str]:
        formats = f"{PAYLOAD_TYPES[kind]}" + (f" {RTX_PAYLOAD_TYPE}" if kind == "video" else "")
        algorithm, value = self.fingerprint
        return [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            f"a=ice-ufrag:{self.ice_ufrag}",
            f"a=ice-pwd:{self.ice_pwd}",
            f"a=fingerprint:{algorithm} {value}",
            "a=setup:actpass",
            f"a=mid:{mid}",
            *(f"a=extmap:{number} {uri}" for number, uri in EXTENSIONS[kind].items()),
            "a=rtcp-mux",
            "a=rtcp-rsize",
            *_codecs(kind),
            # On every section: aiortc, unlike browsers, takes those of the last one in a bundle.
            *self._candidate_lines(),
        ]

    def _candidate_lines(self) -> list[str]:
        lines = []
        for index, (address, port) in enumerate(self.candidates):
            # RFC 8445, 5.1.2.1: host type preference 126, component 1.
            priority = (126 << 24) + ((65_535 - index) << 8) + 255
            lines.append(f"a=candidate:{index + 1} 1 udp {priority} {address} {port} typ host")
        lines.append("a=end-of-candidates")
        return lines


def _slot_kind(mid: str) -> Kind:
    return "audio" if mid.startswith("a") else "video"


def _codecs(kind: Kind) -> list[str]:
    clock = CLOCK_RATES[kind]
    if kind == "audio":
        return [
            f"a=rtpmap:{OPUS_PAYLOAD_TYPE} opus/{clock}/2",
            # No discontinuous transmission: silence, too, must carry its audio level.
            f"a=fmtp:{OPUS_PAYLOAD_TYPE} minptime=10;useinbandfec=1;usedtx=0",
        ]
    return [
        f"a=rtpmap:{VP8_PAYLOAD_TYPE} VP8/{clock}",
        *(
            f"a=rtcp-fb:{VP8_PAYLOAD_TYPE} {feedback}"
            for feedback in ("nack", "nack pli", "ccm fir", "goog-remb")
        ),
        f"a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/{clock}",
        f"a=fmtp:{RTX_PAYLOAD_TYPE} apt={VP8_PAYLOAD_TYPE}",
    ]


def _stream(mid: str, kind: Kind, ssrcs: Ssrcs) -> list[str]:
    stream = stream_of(mid)
    msid = f"{stream} {mid}"
    lines = [f"a=msid:{msid}"]
    if kind == "video" and ssrcs.rtx is not None:
        lines.append(f"a=ssrc-group:FID {ssrcs.main} {ssrcs.rtx}")
    for ssrc in ssrcs:
        if ssrc is not None:
            lines += [f"a=ssrc:{ssrc} cname:{stream}", f"a=ssrc:{ssrc} msid:{msid}"]
    return lines


@dataclass(frozen=True)
class Answer:
    """What the relay needs to know from a browser's answer."""

    ice_ufrag: str
    ice_pwd: str
    fingerprint: tuple[str, str]
    """Hash name in lower case, and value."""
    ssrcs: Mapping[str, Ssrcs]
    """By mid, for those sources that the browser is going to send."""
    whole_frames: bool
    """Whether the browser reads frame boundaries from the dependency descriptor on all video that
    it accepts, so that frames can be sealed whole."""


def parse_answer(sdp: str, slots: Mapping[str, Ssrcs]) -> Answer:
    """Read and check the answer to an offer that had ``slots``.

    Raises:
        Refused: ``bad_answer``, with what is wrong about it.
    """
    try:
        if any(len(line) > _MAX_LINE_CHARS for line in sdp.splitlines()):
            raise _bad("has a line that is too long")
        description = SessionDescription.parse(sdp)
    except Refused:
        raise
    except Exception:  # the parser asserts, indexes and converts as it goes
        raise _bad("is not valid SDP") from None

    mids = [*SOURCE_MIDS, *slots]
    if [media.rtp.muxId for media in description.media] != mids:
        raise _bad("does not have the media sections that were offered")
    if "\na=simulcast:" in sdp or "\na=rid:" in sdp:
        raise _bad("has simulcast, which was not offered")

    accepted = [media for media in description.media if media.port != 0]
    if not accepted:
        raise _bad("accepts none of the media that were offered")
    bundle = next((group.items for group in description.group if group.semantic == "BUNDLE"), [])
    if any(media.rtp.muxId not in bundle for media in accepted):
        raise _bad("does not bundle all media onto one transport")
    ice_ufrag, ice_pwd, fingerprint = _transport(accepted)

    ssrcs: dict[str, Ssrcs] = {}
    whole_frames = True
    taken = {ssrc for pair in slots.values() for ssrc in pair if ssrc is not None}
    for media in accepted:
        mid = media.rtp.muxId
        kind = SOURCE_MIDS.get(mid) or _slot_kind(mid)
        _check_formats(media, kind)
        whole_frames &= kind == "audio" or _describes_frames(media)
        if mid not in SOURCE_MIDS:
            if media.direction not in ("recvonly", "inactive"):
                raise _bad("would send on a section that only receives")
            continue
        if media.direction not in ("sendonly", "inactive"):
            raise _bad("would receive on a section that only sends")
        if media.direction == "sendonly" and (pair := _ssrcs(media)) is not None:
            ssrcs[mid] = pair
            for ssrc in pair:
                if ssrc is None:
                    continue
                if not 0 < ssrc < 2**32 or ssrc in taken:
                    raise _bad("uses an SSRC that is taken or out of range")
                taken.add(ssrc)
    return Answer(ice_ufrag, ice_pwd, fingerprint, ssrcs, whole_frames)


def _bad(what: str) -> Refused:
    return Refused("bad_answer", f"The browser's answer to the media offer {what}.")


def _transport(accepted: list[MediaDescription]) -> tuple[str, str, tuple[str, str]]:
    credentials: set[tuple[str | None, str | None]] = set()
    fingerprints: set[tuple[str, str]] = set()
    for media in accepted:
        if media.dtls is None or media.ice is None:
            raise _bad("lacks the DTLS or ICE parameters")
        if media.dtls.role != "client":  # a=setup:active, RFC 8842
            raise _bad("must take the active part in DTLS")
        if not media.rtcp_mux:
            raise _bad("must multiplex RTCP")
        credentials.add((media.ice.usernameFragment, media.ice.password))
        fingerprints |= {
            (fingerprint.algorithm.lower(), fingerprint.value)
            for fingerprint in media.dtls.fingerprints
        }
    if len(credentials) != 1:
        raise _bad("has more than one set of ICE credentials")
    ice_ufrag, ice_pwd = credentials.pop()
    if not ice_ufrag or not ice_pwd:
        raise _bad("lacks the ICE credentials")
    if not _ICE_UFRAG.fullmatch(ice_ufrag) or not _ICE_PWD.fullmatch(ice_pwd):  # RFC 8839, 5.4
        raise _bad("has ICE credentials that are not valid")
    # aiortc names the same certificate by several hashes; the strongest known one is enough.
    by_algorithm: dict[str, set[str]] = {}
    for algorithm, value in fingerprints:
        by_algorithm.setdefault(algorithm, set()).add(value)
    for algorithm in reversed(_FINGERPRINT_BYTES):
        values = by_algorithm.get(algorithm)
        if values is None:
            continue
        value = values.pop()
        if values:
            raise _bad("has more than one certificate")
        if not re.fullmatch(
            rf"[0-9A-Fa-f]{{2}}(:[0-9A-Fa-f]{{2}}){{{_FINGERPRINT_BYTES[algorithm] - 1}}}", value
        ):
            raise _bad("has a certificate fingerprint that is not valid")
        return ice_ufrag, ice_pwd, (algorithm, value)
    raise _bad("has no certificate fingerprint by SHA-256 or better")


def _check_formats(media: MediaDescription, kind: Kind) -> None:
    offered = {PAYLOAD_TYPES[kind]} | ({RTX_PAYLOAD_TYPE} if kind == "video" else set())
    if media.kind != kind or media.profile != "UDP/TLS/RTP/SAVPF":
        raise _bad("changes the kind of a media section")
    if not set(media.fmt) <= offered or PAYLOAD_TYPES[kind] not in media.fmt:
        raise _bad("has payload types that were not offered")
    for extension in media.rtp.headerExtensions:
        if EXTENSIONS[kind].get(extension.id) != extension.uri:
            raise _bad("has header extensions that were not offered")


def _describes_frames(media: MediaDescription) -> bool:
    return any(extension.id == DEPENDENCY_DESCRIPTOR_ID for extension in media.rtp.headerExtensions)


def _ssrcs(media: MediaDescription) -> Ssrcs | None:
    """The SSRCs of one source, or None if it has named none and so will not send yet."""
    named = [description.ssrc for description in media.ssrc]
    groups: list[tuple[int, int]] = []
    for group in media.ssrc_group:
        if group.semantic != "FID" or len(group.items) != 2:
            raise _bad("sends more than one encoding of a source")
        main, rtx = (int(item) for item in group.items)
        groups.append((main, rtx))
    if not named and not groups:
        return None
    if not groups and len(named) == 1:
        return Ssrcs(named[0], None)
    if len(groups) == 1 and set(named) <= set(groups[0]):
        main, rtx = groups[0]
        return Ssrcs(main, rtx if RTX_PAYLOAD_TYPE in media.fmt else None)
    raise _bad("sends more than one encoding of a source")
