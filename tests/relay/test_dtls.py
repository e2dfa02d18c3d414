from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiortc.rtcdtlstransport import (
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from OpenSSL import SSL

from relay import Fingerprint, dtls
from simulated.packet_client import PacketClient
from tests.relay.packets import rtp
from tests.relay.room import CERTIFICATE, SSRCS, Member, Room, until


@pytest.fixture
async def newcomer(room: Room) -> Member:
    """A peer whose ICE works and whose answer has not come."""
    member = Member(room.relay, "newcomer")
    room.members.append(member)
    member.client.open(member.peer.local)
    await member.client.check(nominate=True)
    return member


async def test_the_strongest_profile_is_taken(room: Room) -> None:
    assert {m.peer.dtls.srtp_profile for m in room.members} == {"SRTP_AEAD_AES_256_GCM"}


async def test_a_client_that_knows_only_aes_cm(room: Room) -> None:
    client = PacketClient(SSRCS, certificate=CERTIFICATE, srtp_profiles=[SRTP_AES128_CM_SHA1_80])
    member = Member(room.relay, "old browser", client)
    room.members.append(member)
    await member.connect()
    assert member.peer.dtls.srtp_profile == "SRTP_AES128_CM_SHA1_80"
    speaker = room.members[0]
    slot = member.peer.add_slot("a0", "audio", cname="slot-0")
    back = speaker.peer.add_slot("a3", "audio", cname="slot-3")
    room.relay.feed(slot, speaker.peer.sources["mi"])
    room.relay.set_gate(speaker.peer.sources["mi"], member.peer, True)
    room.relay.feed(back, member.peer.sources["mi"])
    room.relay.set_gate(member.peer.sources["mi"], speaker.peer, True)
    speaker.send("mi", 1, payload=b"to GCM and CM")
    member.send("mi", 1, payload=b"from CM to GCM")
    await room.settle(speaker, member)
    assert [p.payload for p in member.media(slot.ssrc)] == [b"to GCM and CM"]
    assert [p.payload for p in speaker.media(back.ssrc)] == [b"from CM to GCM"]


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512", "md5"])
async def test_another_fingerprint_than_the_answers_never_gets_keys(
    room: Room, newcomer: Member, algorithm: str
) -> None:
    remote = replace(
        newcomer.client.remote(), fingerprints=[Fingerprint(algorithm, "AB:" * 31 + "AB")]
    )
    room.relay.accept(newcomer.peer, remote)
    await newcomer.client.handshake()
    await until(lambda: newcomer.peer.state == "gone")
    assert newcomer.states == ["connecting", "gone"]
    newcomer.send("mi", 1)
    await room.settle(newcomer)
    assert newcomer.dropped == {"not_ready": 1}
    assert newcomer.peer.transport.srtp_in is None
    assert newcomer.peer.transport.srtp_out is None


async def test_all_fingerprints_of_the_answer_must_fit(room: Room, newcomer: Member) -> None:
    fingerprints = [newcomer.client.fingerprint, Fingerprint("sha-512", "AB:" * 63 + "AB")]
    room.relay.accept(newcomer.peer, replace(newcomer.client.remote(), fingerprints=fingerprints))
    await newcomer.client.handshake()
    await until(lambda: newcomer.peer.state == "gone")


async def test_media_before_the_handshake_is_counted_and_dropped(
    room: Room, newcomer: Member
) -> None:
    newcomer.client.send_raw(rtp(0x1111, 1, 0))
    newcomer.client.send_raw(b"\x80\xc9\0\1\0\0\0\1")
    await room.settle(newcomer)
    assert newcomer.dropped == {"not_ready": 2}


async def test_a_hello_before_the_answer_is_kept(room: Room, newcomer: Member) -> None:
    handshake = asyncio.create_task(newcomer.client.handshake())
    await until(lambda: newcomer.peer.dtls._transport._queue.qsize() == 1)
    assert newcomer.states == []
    room.relay.accept(newcomer.peer, newcomer.client.remote())
    await handshake
    await until(lambda: newcomer.states == ["connecting", "connected"])


async def test_only_so_much_is_kept_before_the_answer(room: Room, newcomer: Member) -> None:
    for _ in range(40):
        newcomer.client.send_raw(b"\x16\xfe\xfd" + bytes(50))
    await room.settle(newcomer)
    assert newcomer.dropped == {"dtls_queue_full": 8}
    room.relay.accept(newcomer.peer, newcomer.client.remote())
    await until(lambda: newcomer.peer.dtls._transport._queue.empty())
    await newcomer.client.handshake()
    await until(lambda: newcomer.peer.state == "connected")


async def test_close_notify_means_gone(room: Room) -> None:
    member = room.members[0]
    await member.client._dtls.stop()
    await until(lambda: member.peer.state == "gone")
    assert member.states == ["connecting", "connected", "gone"]
    room.members[1].send("mi", 1)
    await room.settle(room.members[1])
    assert member.peer.counters().sent_packets == 0


async def test_a_handshake_has_an_end(
    room: Room, newcomer: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dtls, "HANDSHAKE_TIMEOUT_S", 0.05)
    room.relay.accept(newcomer.peer, newcomer.client.remote())
    await until(lambda: newcomer.peer.state == "gone")


async def test_a_certificate_that_cannot_be_read_means_gone(
    room: Room, newcomer: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(self: RTCDtlsTransport, _: RTCDtlsParameters) -> None:
        if self._role == "server":
            raise ValueError("error parsing asn1 value")

    monkeypatch.setattr(RTCDtlsTransport, "_validate_peer_identity", unreadable)
    room.relay.accept(newcomer.peer, newcomer.client.remote())
    await newcomer.client.handshake()
    await until(lambda: newcomer.peer.state == "gone")


async def test_application_data_does_not_pile_up(room: Room) -> None:
    member = room.members[0]
    server, client = member.peer.dtls._dtls._ssl, member.client._dtls._ssl
    assert server is not None
    assert client is not None
    for _ in range(200):
        records = []
        for _ in range(20):
            client.send(b"x" * 20)
            records.append(client.bio_read(1_500))
        member.client.send_raw(b"".join(records))
        await member.client.check(nominate=False)
        await until(lambda: member.peer.dtls._transport._queue.empty())
    with pytest.raises(SSL.WantReadError):
        server.recv(100)
    assert member.peer.state == "connected"
    await member.client._dtls.stop()
    await until(lambda: member.peer.state == "gone")


async def test_each_relay_has_one_certificate_that_all_peers_are_told(room: Room) -> None:
    fingerprints = {m.peer.local.fingerprint for m in room.members}
    assert len(fingerprints) == 1
    stranger = dtls.fingerprint_of(RTCCertificate.generateCertificate())
    assert stranger not in fingerprints
