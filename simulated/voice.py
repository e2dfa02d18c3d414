"""Voices: text spoken by espeak-ng, as Opus frames of 20 ms with their audio levels."""

from __future__ import annotations

import array
import ctypes
import math
from collections.abc import Iterator
from functools import cache, lru_cache
from operator import mul
from threading import Lock
from typing import Final, NamedTuple

import espeakng_loader
from av import AudioFrame, AudioResampler, CodecContext
from av.audio.codeccontext import AudioCodecContext

from simulated.rtp import SILENCE, Level

RATE: Final = 48_000
FRAME_SAMPLES: Final = 960
FRAME_S: Final = FRAME_SAMPLES / RATE
BIT_RATE: Final = 32_000
FULL_SCALE: Final = 32_768
VOICE_LEVEL: Final = 50
"""In -dBov; what is louder is taken for voice."""

# speak_lib.h
_SYNCHRONOUS: Final = 2
_CHARACTERS: Final = 1
_UTF8: Final = 1
_SPEED, _VOLUME, _PITCH, _INTONATION = 1, 2, 3, 4


class Voice(NamedTuple):
    """How someone sounds, in espeak-ng's terms."""

    name: str
    """Language, and after a plus the variant."""
    pitch: int
    """0 to 100."""
    words_per_minute: int


VOICES: Final = (
    Voice("en+f2", 52, 150),
    Voice("en-us+m3", 38, 145),
    Voice("en-gb-scotland+m7", 42, 150),
    Voice("en-us+f4", 58, 140),
    Voice("en-029+m1", 48, 155),
    Voice("en-gb-x-rp+f3", 46, 148),
    Voice("en-us+m6", 30, 138),
    Voice("en+f5", 62, 158),
)


class Frame(NamedTuple):
    """20 ms of speech."""

    opus: bytes
    level: Level


class _Synthesizer:
    """espeak-ng, of which a process has one."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self.rate <= 0:
            raise RuntimeError("espeak-ng does not start")
        self._spoken = bytearray()
        callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
        self._callback = callback(self._take)  # kept, as the library does not
        self._library.espeak_SetSynthCallback(self._callback)
        self._lock = Lock()

    def _take(self, samples: int | None, count: int, _events: int) -> int:
        if samples is not None:
            self._spoken += ctypes.string_at(samples, 2 * count)
        return 0

    def speak(self, voice: Voice, text: str) -> bytes:
        """Samples of 16 bits at `rate`. Raises ValueError if there is no such voice."""
        with self._lock:
            if self._library.espeak_SetVoiceByName(voice.name.encode()):
                raise ValueError(f"espeak-ng has no voice {voice.name}")
            settings = {_SPEED: voice.words_per_minute, _VOLUME: 90, _PITCH: voice.pitch}
            for parameter, value in (settings | {_INTONATION: 60}).items():
                self._library.espeak_SetParameter(parameter, value, 0)
            self._spoken.clear()
            raw = text.encode()
            self._library.espeak_Synth(raw, len(raw) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
            return bytes(self._spoken)


@cache
def _synthesizer() -> _Synthesizer:
    return _Synthesizer()


@lru_cache(maxsize=512)
def speak(voice: Voice, text: str) -> tuple[Frame, ...]:
    """Say something: what is said once is kept. Takes some 10 ms for each second of speech."""
    synthesizer = _synthesizer()
    spoken = synthesizer.speak(voice, text)
    frame = AudioFrame(format="s16", layout="mono", samples=len(spoken) // 2)
    frame.sample_rate = synthesizer.rate
    frame.planes[0].update(spoken.ljust(frame.planes[0].buffer_size, b"\0"))
    return tuple(_encode(_blocks(frame)))


@cache
def silence() -> Frame:
    """20 ms of nothing."""
    *_, settled = _encode([bytes(2 * FRAME_SAMPLES)] * 10)
    return settled


def level_of(samples: bytes) -> Level:
    """Of samples of 16 bits: the root of their mean square, in dB below overload (RFC 6464)."""
    values = array.array("h", samples)
    power = sum(map(mul, values, values)) / len(values) / FULL_SCALE**2
    if not power:
        return SILENCE
    below = min(127, round(-10 * math.log10(power)))
    return Level(below, voice=below < VOICE_LEVEL)


def _blocks(frame: AudioFrame) -> list[bytes]:
    """The samples at `RATE`, in blocks of one Opus frame; silence makes up the last one."""
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    pcm = b"".join(
        bytes(part.planes[0])[: 2 * part.samples]
        for given in (frame, None)
        for part in resampler.resample(given)
    )
    size = 2 * FRAME_SAMPLES
    return [pcm[at : at + size].ljust(size, b"\0") for at in range(0, len(pcm), size)]


def _encode(blocks: list[bytes]) -> Iterator[Frame]:
    encoder = CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)
    encoder.format = "s16"
    encoder.layout = "mono"
    encoder.sample_rate = RATE
    encoder.bit_rate = BIT_RATE
    encoder.options = {"application": "voip", "frame_duration": "20"}
    for block in blocks:
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.sample_rate = RATE
        frame.planes[0].update(block)
        for packet in encoder.encode(frame):
            yield Frame(bytes(packet), level_of(block))
