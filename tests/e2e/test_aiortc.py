"""A second, independent implementation of WebRTC joins: aiortc sends and receives through the
relay."""

from __future__ import annotations

import array
import asyncio
import math
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import socketio
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import AudioFrame, VideoFrame

from server.app import running
from signaling.messages import PROTOCOL_VERSION
from simulated.group import CIPHERSUITE, Member
from tests.e2e.conftest import ROOM, Begin
from tests.e2e.visit import PATIENCE_S, until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")

TONE_HZ = 440
LUMA, BLUE, RED = 120, 60, 90
"""The picture's one colour, in YUV."""


class Tone(AudioStreamTrack):
    """A sine at half of full scale."""

    async def recv(self) -> AudioFrame:
        frame = await super().recv()
        assert isinstance(frame, AudioFrame)
        turn = 2 * math.pi * TONE_HZ / frame.sample_rate
        start = frame.pts or 0
        wave = (int(16_000 * math.sin(turn * (start + n))) for n in range(frame.samples))
        frame.planes[0].update(array.array("h", wave).tobytes())
        return frame


class Picture(VideoStreamTrack):
    """A picture of one colour."""

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(width=320, height=240, format="yuv420p")
        for plane, value in zip(frame.planes, (LUMA, BLUE, RED), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Client:
    """Joins as a browser does, with aiortc's own peer connection."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(serializer="msgpack", reconnection=False)
        self.pc = RTCPeerConnection(RTCConfiguration(bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.slot = -1
        self.tracks: dict[str, MediaStreamTrack] = {}

    async def join(self, url: str, token: str, name: str) -> None:
        hello = {"protocol": PROTOCOL_VERSION, "room": ROOM, "token": token, "resume": None}
        await self.socket.connect(url, transports=["websocket"], auth=hello)
        key_package = Member(name, "participant").key_package()
        joined = await self.request(
            "join", {"name": name, "mic": True, "camera": True, "key_package": key_package}
        )
        people = joined["roster"]["participants"]
        self.slot = next(person["slot"] for person in people if person["id"] == joined["id"])
        await self.pc.setRemoteDescription(RTCSessionDescription(joined["sdp"], "offer"))
        sent: dict[str, MediaStreamTrack] = {"mi": Tone(), "ca": Picture()}
        for transceiver in self.pc.getTransceivers():
            if transceiver.mid in sent:
                transceiver.sender.replaceTrack(sent[transceiver.mid])
                transceiver.direction = "sendonly"
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        self.tracks = {
            str(transceiver.mid): transceiver.receiver.track
            for transceiver in self.pc.getTransceivers()
        }
        await self.request("answer", {"sdp": self.pc.localDescription.sdp})

    async def request(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        reply = await self.socket.call(event, payload, timeout=10)
        assert isinstance(reply, dict)
        assert reply.get("ok"), reply
        return reply

    async def close(self) -> None:
        await self.pc.close()
        await self.socket.disconnect()


async def hears_tone(track: MediaStreamTrack) -> bool:
    """Whether what comes in swings at the tone's pitch: by its zero crossings over 0.4 s."""
    crossings, seconds = 0, 0.0
    for _ in range(20):
        frame = await track.recv()
        assert isinstance(frame, AudioFrame)
        pcm = array.array("h", bytes(frame.planes[0]))[: frame.samples * 2 : 2]
        crossings += sum((a < 0) != (b < 0) for a, b in pairwise(pcm))
        seconds += frame.samples / frame.sample_rate
    pitch = crossings / 2 / seconds
    return abs(pitch - TONE_HZ) < 20


async def sees_picture(track: MediaStreamTrack) -> bool:
    frame = await track.recv()
    assert isinstance(frame, VideoFrame)
    middle = [bytes(plane)[plane.buffer_size // 2] for plane in frame.planes]
    sent = (LUMA, BLUE, RED)
    return all(abs(got - want) < 12 for got, want in zip(middle, sent, strict=True))


async def test_aiortc_sends_and_receives_a_tone_and_a_picture(begin: Begin, tmp_path: Path) -> None:
    """Without encryption from end to end: the relay passes it, a page plays nothing of it."""
    settings = on_loopback(tmp_path, room_capacity=3, ciphersuite=CIPHERSUITE)
    async with running(settings) as server:
        token = server.links.to(ROOM, "participant").partition("#")[2]
        clients = [Client(), Client()]
        try:
            for index, client in enumerate(clients):
                await client.join(server.url, token, f"Client {index + 1}")
            for sink, source in (clients, clients[::-1]):
                audio, video = sink.tracks[f"a{source.slot}"], sink.tracks[f"v{source.slot}"]
                await until(partial(hears_tone, audio), "the tone", PATIENCE_S)
                await until(partial(sees_picture, video), "the picture", PATIENCE_S)
            page = await begin()
            await page.join(server.links.to(ROOM, "participant"), "Ada")

            async def plain_frames_dropped() -> bool:
                return int((await page.frames())["dropped"]["forged"]) > 100

            await until(plain_frames_dropped, "frames without encryption", PATIENCE_S)
            for inbound in (await page.inbound()).values():
                assert inbound.frames == 0
                assert inbound.energy == 0
        finally:
            await asyncio.gather(*(client.close() for client in clients))
