"""A calm drawn picture of someone, as VP8 frames: a face on a soft colour in a breathing ring."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final, NamedTuple

from av import CodecContext, VideoFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

WIDTH, HEIGHT = 320, 180
FRAMES_PER_S: Final = 5
KEY_FRAME_EVERY: Final = 50
"""Frames: 10 s."""
BIT_RATE: Final = 150_000
BREATH_S: Final = 8.0


class Colour(NamedTuple):
    """In YUV, as BT.601 has it."""

    luma: int
    blue: int
    red: int


BACKGROUNDS: Final = (
    Colour(168, 142, 112),
    Colour(178, 112, 138),
    Colour(170, 116, 118),
    Colour(160, 138, 132),
    Colour(182, 120, 128),
    Colour(156, 132, 114),
    Colour(174, 130, 140),
    Colour(164, 122, 110),
)
SKINS: Final = (Colour(196, 110, 146), Colour(150, 108, 150), Colour(108, 114, 146))
_INK: Final = Colour(52, 126, 130)
_RING: Final = Colour(214, 126, 126)

_CENTRE: Final = (WIDTH // 2, HEIGHT // 2)
_RING_RADII: Final = (66.0, 80.0)
"""Breathed out, and in."""
_RING_WIDTH: Final = 5


class _Canvas:
    """The three planes of a picture with half as much colour as light each way (4:2:0)."""

    def __init__(self, background: Colour) -> None:
        light, colour = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
        self.planes = [
            bytearray([background.luma]) * light,
            bytearray([background.blue]) * colour,
            bytearray([background.red]) * colour,
        ]

    def copy(self) -> _Canvas:
        other = _Canvas.__new__(_Canvas)
        other.planes = [bytearray(plane) for plane in self.planes]
        return other

    def ellipse(
        self, centre: tuple[int, int], radii: tuple[float, float], colour: Colour, hole: float = 0.0
    ) -> None:
        """Fill an ellipse, but for a `hole` in its middle that is so large a part of it."""
        for plane, value, scale in zip(self.planes, colour, (1, 2, 2), strict=True):
            width, height = WIDTH // scale, HEIGHT // scale
            cx, cy, rx, ry = (part / scale for part in (*centre, *radii))
            for y in range(max(0, math.ceil(cy - ry)), min(height, math.floor(cy + ry) + 1)):
                outer = rx * math.sqrt(max(0.0, 1 - ((y - cy) / ry) ** 2))
                inner = hole * hole - ((y - cy) / ry) ** 2
                spans = [(cx - outer, cx + outer)]
                if inner > 0:
                    gap = rx * math.sqrt(inner)
                    spans = [(cx - outer, cx - gap), (cx + gap, cx + outer)]
                for left, right in spans:
                    start, end = max(0, round(left)), min(width, round(right))
                    if end > start:
                        row = y * width
                        plane[row + start : row + end] = bytes([value]) * (end - start)


class Picture:
    """Draws and encodes one person's picture, a frame at a time.

    Args:
        look: any number; each gives another colour and face.
    """

    def __init__(self, look: int) -> None:
        self._still = _face(look)
        self._encoder = _encoder()
        self._count = 0
        self._phase = look * 1.7
        """In s: not everyone breathes at once."""

    def next_frame(self, *, key_frame: bool = False) -> bytes:
        """The next VP8 frame; every 10 s, or when asked for, a key frame."""
        frame = self._draw(self._count / FRAMES_PER_S + self._phase)
        frame.pts, frame.time_base = self._count, Fraction(1, FRAMES_PER_S)
        if key_frame or self._count % KEY_FRAME_EVERY == 0:
            frame.pict_type = PictureType.I
        self._count += 1
        return b"".join(bytes(packet) for packet in self._encoder.encode(frame))

    def _draw(self, seconds: float) -> VideoFrame:
        canvas = self._still.copy()
        low, high = _RING_RADII
        radius = low + (high - low) * (1 - math.cos(2 * math.pi * seconds / BREATH_S)) / 2
        canvas.ellipse(_CENTRE, (radius, radius), _RING, hole=1 - _RING_WIDTH / radius)
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        for plane, drawn in zip(frame.planes, canvas.planes, strict=True):
            plane.update(_padded(drawn, plane.width, plane.line_size))
        return frame


def _padded(drawn: bytearray, width: int, line_size: int) -> bytes:
    """Rows as long as the frame's are in memory."""
    if line_size == width:
        return bytes(drawn)
    rows = (drawn[at : at + width] for at in range(0, len(drawn), width))
    return b"".join(bytes(row).ljust(line_size, b"\0") for row in rows)


def _face(look: int) -> _Canvas:
    x, y = _CENTRE
    skin = SKINS[look % len(SKINS)]
    canvas = _Canvas(BACKGROUNDS[look % len(BACKGROUNDS)])
    canvas.ellipse((x, y), (54, 58), skin)
    for side in (-1, 1):
        canvas.ellipse((x + 20 * side, y - 12), (5, 7), _INK)
    canvas.ellipse((x, y + 20), (20, 11), _INK)
    canvas.ellipse((x, y + 15), (22, 11), skin)
    return canvas


def _encoder() -> VideoCodecContext:
    encoder = CodecContext.create("libvpx", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = WIDTH, HEIGHT
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, FRAMES_PER_S)
    encoder.bit_rate = BIT_RATE
    encoder.gop_size = 10 * KEY_FRAME_EVERY  # key frames come where we set them
    encoder.thread_count = 1
    encoder.options = {
        "deadline": "realtime",
        "cpu-used": "-8",
        "lag-in-frames": "0",
        "static-thresh": "1",
        "partitions": "0",
    }
    return encoder
