"""Voices for fake microphones, made by espeak-ng (`make test` installs it).

Chromium plays the file in a loop, beginning when the microphone is opened.
"""

from __future__ import annotations

import array
import subprocess
import wave
from pathlib import Path

RATE = 48_000

TALK = (
    "I have been thinking about what happened last week and how it went with my sister and "
    "with everyone at home because we had not spoken for a long time and then she called me "
    "and asked whether I would come and I did not know what to say to her at first but later "
    "I went anyway and we sat in the kitchen and talked about our mother and the old house "
    "and it was good to be there although I was tired and a little afraid of what would come"
)
"""Something to say without a pause."""


def _speak(text: str, voice: str, folder: Path) -> array.array[int]:
    """Samples of one voice at `RATE`, its silences of more than 0.1 s cut out."""
    path = folder / "spoken.wav"
    subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "170", "-a", "180", "-w", str(path), text], check=True
    )
    with wave.open(str(path)) as spoken:
        rate, raw = spoken.getframerate(), array.array("h", spoken.readframes(spoken.getnframes()))
    resampled = array.array("h", (raw[n * rate // RATE] for n in range(len(raw) * RATE // rate)))
    block = RATE // 50
    kept: array.array[int] = array.array("h")
    quiet = 0
    for at in range(0, len(resampled) - block, block):
        part = resampled[at : at + block]
        quiet = quiet + 1 if max(part) < 500 else 0
        if quiet <= 5:
            kept.extend(part)
    return kept


def _write(samples: array.array[int], path: Path) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return path


def silence(folder: Path) -> Path:
    """Ten seconds of nothing."""
    return _write(array.array("h", bytes(20 * RATE)), folder / "silence.wav")


def talk(folder: Path, voice: str = "en-gb") -> Path:
    """Talk without a pause, over and over."""
    return _write(_speak(TALK, voice, folder), folder / f"talk-{voice}.wav")


def backchannels(folder: Path) -> Path:
    """A short "mm-hm" every five seconds."""
    samples = _speak("mhm", "en-us", folder)[: RATE // 2]
    samples.extend(array.array("h", bytes(2 * (5 * RATE - len(samples)))))
    return _write(samples, folder / "backchannels.wav")
