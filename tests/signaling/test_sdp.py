from __future__ import annotations

import re
import string
from contextlib import suppress

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from signaling.refusal import Refused
from signaling.sdp import Offer, Ssrcs, parse_answer, slot_mids
from tests.page import answered

CAPACITY = 3
SLOTS = {
    mid: Ssrcs(1_000 + number, 2_000 + number if kind == "video" else None)
    for number, (mid, kind) in enumerate(slot_mids(CAPACITY).items())
}
FINGERPRINT = ":".join(["AB"] * 32)
OFFER = Offer(
    session_id=7,
    version=2,
    ice_ufrag="abcd",
    ice_pwd="a" * 24,
    fingerprint=("sha-256", FINGERPRINT),
    candidates=[("192.0.2.1", 40_000), ("2001:db8::1", 40_000)],
    slots=SLOTS,
).sdp()

SECTION = """m={kind} 9 UDP/TLS/RTP/SAVPF {formats}
c=IN IP4 0.0.0.0
a=ice-ufrag:wxyz
a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb
a=fingerprint:sha-256 {fingerprint}
a=setup:active
a=mid:{mid}
a={direction}
a=rtcp-mux
{codecs}
"""
DESCRIPTOR = (
    "a=extmap:4 https://aomediacodec.github.io/av1-rtp-spec/"
    "#dependency-descriptor-rtp-header-extension"
)
CODECS = {
    "audio": "a=rtpmap:111 opus/48000/2",
    "video": "a=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96",
}


def handmade() -> str:
    """An answer in the manner of Chromium that sends microphone and camera."""
    mids = {"mi": "audio", "ca": "video", "sc": "video", **slot_mids(CAPACITY)}
    sending = {
        "mi": "a=ssrc:11 cname:x\n",
        "ca": "a=ssrc-group:FID 21 22\na=ssrc:21 cname:x\na=ssrc:22 cname:x\n",
        "sc": "",
    }
    sdp = f"v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE {' '.join(mids)}\n"
    for mid, kind in mids.items():
        direction = ("sendonly" if sending[mid] else "inactive") if mid in sending else "recvonly"
        sdp += SECTION.format(
            kind=kind,
            formats="111" if kind == "audio" else "96 97",
            fingerprint=FINGERPRINT,
            mid=mid,
            direction=direction,
            codecs=CODECS[kind],
        ) + sending.get(mid, "")
    return sdp.replace("\n", "\r\n")


def test_offer_has_the_layout_that_the_architecture_tells() -> None:
    description = SessionDescription.parse(OFFER)
    assert "\r\na=ice-lite\r\n" in OFFER
    assert "\r\no=- 7 2 IN IP4" in OFFER
    mids = ["mi", "ca", "sc", "a0", "v0", "a1", "v1", "a2", "v2", "s0"]
    assert [media.rtp.muxId for media in description.media] == mids
    assert description.group[0].items == mids
    directions = {media.rtp.muxId: media.direction for media in description.media}
    assert {mid for mid, direction in directions.items() if direction == "recvonly"} == set(
        mids[:3]
    )
    assert {mid for mid, direction in directions.items() if direction == "sendonly"} == set(
        mids[3:]
    )
    for media in description.media:
        extensions = [extension.id for extension in media.rtp.headerExtensions]
        assert extensions == ([1, 2, 3] if media.kind == "audio" else [2, 3, 4])
        assert media.fmt == ([111] if media.kind == "audio" else [96, 97])
        assert media.rtcp_mux
        assert [candidate.ip for candidate in media.ice_candidates] == ["192.0.2.1", "2001:db8::1"]
    streams = {media.rtp.muxId: (media.msid or "").split()[0] for media in description.media[3:]}
    assert streams["a1"] == streams["v1"] == "slot-1"
    assert streams["s0"] == "screen"
    v0 = description.media[mids.index("v0")]
    assert v0.ssrc_group[0].items == [SLOTS["v0"].main, SLOTS["v0"].rtx]


async def test_answer_of_aiortc() -> None:
    async with answered(OFFER) as connection:
        answer = parse_answer(connection.localDescription.sdp, SLOTS)
    assert answer.ssrcs.keys() == {"mi", "ca"}
    assert answer.ssrcs["mi"].rtx is None
    assert not answer.whole_frames
    assert answer.fingerprint[0] in ("sha-256", "sha-384", "sha-512")


async def test_answer_of_someone_who_only_listens() -> None:
    async with answered(OFFER, sending=False) as connection:
        assert parse_answer(connection.localDescription.sdp, SLOTS).ssrcs == {}


def test_answer_by_hand() -> None:
    answer = parse_answer(handmade(), SLOTS)
    assert answer.ssrcs == {"mi": Ssrcs(11, None), "ca": Ssrcs(21, 22)}
    assert answer.fingerprint == ("sha-256", FINGERPRINT)
    assert (answer.ice_ufrag, answer.ice_pwd) == ("wxyz", "b" * 24)


def test_frames_are_whole_if_all_accepted_video_has_its_frames_described() -> None:
    assert not parse_answer(handmade(), SLOTS).whole_frames
    described = handmade().replace("a=rtpmap:96", f"{DESCRIPTOR}\r\na=rtpmap:96")
    assert parse_answer(described, SLOTS).whole_frames
    for mid in ("ca", "sc", "v0", "s0"):
        pattern = rf"(a=mid:{mid}\r\n(?s:.*?)){re.escape(DESCRIPTOR)}\r\n"
        without, count = re.subn(pattern, r"\1", described, count=1)
        assert count
        assert not parse_answer(without, SLOTS).whole_frames
    rejected = handmade().replace("m=video 9", "m=video 0")
    assert parse_answer(rejected, SLOTS).whole_frames


def test_rejected_source_sends_nothing() -> None:
    rejected = handmade().replace("m=video 9", "m=video 0", 1)
    assert parse_answer(rejected, SLOTS).ssrcs == {"mi": Ssrcs(11, None)}


@pytest.mark.parametrize(
    ("pattern", "replacement", "reason"),
    [
        (r"a=mid:sc", "a=mid:sd", "media sections"),
        (r"(?s)m=video 9 .*?(?=m=)", "", "media sections"),
        (r"a=setup:active", "a=setup:passive", "active"),
        (r"a=setup:active\r\n", "", "lacks the DTLS"),
        (r"a=fingerprint:\S+ \S+\r\n", "", "no certificate"),
        (r"(?s)a=fingerprint:\S+ AB(.*a=mid:mi)", r"a=fingerprint:sha-256 CD\1", "more than one"),
        (r"a=fingerprint:sha-256 \S+", "a=fingerprint:sha-1 AB:CD", "no certificate"),
        (r"a=fingerprint:sha-256 AB:", "a=fingerprint:sha-256 ", "fingerprint"),
        (r"a=ice-ufrag:wxyz", "a=ice-ufrag:wx", "ICE credentials"),
        (r"a=ice-ufrag:wxyz", "a=ice-ufrag:wx yz", "ICE credentials"),
        (r"a=ice-pwd:b+", "a=ice-pwd:bbb", "ICE credentials"),
        (r"(?s)wxyz(.*a=mid:mi)", r"zyxw\1", "more than one set"),
        (r"a=group:BUNDLE mi ", "a=group:BUNDLE ", "bundle"),
        (r"a=rtcp-mux\r\n", "", "multiplex"),
        (r"a=ssrc:11 cname:x", "a=ssrc:11 cname:x\r\na=ssrc:12 cname:x", "more than one encoding"),
        (r"FID 21 22", "SIM 21 22", "more than one encoding"),
        (r"FID 21 22", "FID 21 21", "more than one encoding"),
        (r"a=ssrc:11 ", "a=ssrc:21 ", "SSRC"),
        (r"a=ssrc:11 ", "a=ssrc:1000 ", "SSRC"),
        (r"a=ssrc:11 ", "a=ssrc:0 ", "SSRC"),
        (r"a=ssrc:11 ", "a=ssrc:4294967296 ", "SSRC"),
        (r"a=mid:ca", "a=simulcast:send h;l\r\na=mid:ca", "simulcast"),
        (r"SAVPF 111", "SAVPF 111 0", "payload types"),
        (r"SAVPF 96 97", "SAVPF 97", "payload types"),
        (r"a=mid:mi", "a=extmap:4 urn:other\r\na=mid:mi", "header extensions"),
        (r"a=mid:mi", rf"{DESCRIPTOR}\r\na=mid:mi", "header extensions"),
        (r"a=recvonly", "a=sendrecv", "only receives"),
        (r"a=sendonly", "a=sendrecv", "only sends"),
        (r"m=(audio|video) 9", r"m=\1 0", "none of the media"),
        (r"a=mid:mi", "a=x:" + "y" * 2_000 + "\r\na=mid:mi", "too long"),
        (r"m=audio", "m=nonsense", "payload types|kind"),
        (r"^v=0", "v=zero", "not valid SDP"),
        (r"a=rtpmap:111 opus", "a=rtpmap:opus", "not valid SDP"),
    ],
)
def test_wrong_answers_are_refused(pattern: str, replacement: str, reason: str) -> None:
    wrong, count = re.subn(pattern, replacement, handmade())
    assert count
    with pytest.raises(Refused) as refusal:
        parse_answer(wrong, SLOTS)
    assert refusal.value.code == "bad_answer"
    assert re.search(reason, refusal.value.sentence)


@settings(max_examples=300)
@given(st.data())
def test_mangled_answers_are_read_or_refused(data: st.DataObject) -> None:
    lines = handmade().split("\r\n")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "cut", "swap", "replace"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "cut":
                lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "replace":
                lines[at] = data.draw(st.text(string.printable, max_size=40))
    with suppress(Refused):
        parse_answer("\r\n".join(lines), SLOTS)
