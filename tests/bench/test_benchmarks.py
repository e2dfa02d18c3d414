"""The benchmarks run, and say what they promise, on a small load."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]


async def last_line(*arguments: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, "--json", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    result: dict[str, Any] = json.loads(output.decode().splitlines()[-1])
    return result


async def test_relay() -> None:
    result = await last_line("bench.relay", "--rooms=1", "--people=3", "--seconds=1")
    assert set(result) == {
        "forwarded_per_s",
        "cpu_us_per_forwarded",
        "latency_ms_p50",
        "latency_ms_p99",
        "loss",
        "rss_mb_per_person",
    }
    # three people with 140 packets a second each, to two others; half of it would be wrong
    assert result["forwarded_per_s"] > 420
    assert result["cpu_us_per_forwarded"] > 0
    assert 0 < result["latency_ms_p50"] <= result["latency_ms_p99"]


async def test_join() -> None:
    result = await last_line("bench.join", "--people=2")
    assert 0 < result["join_ms_p50"] <= result["join_ms_p95"]


async def test_engine() -> None:
    result = await last_line("bench.engine")
    assert 0 < result["tick_us_p50"] <= result["tick_us_p99"]
    assert result["rooms_per_core"] > 0


async def test_live() -> None:
    result = await last_line("bench.live", "--rounds=2")
    assert result["onset_to_decision_ms_p50"] > 0
    assert result["decision_to_silence_ms_p50"] >= 0
    assert 0 < result["help_to_console_ms_p50"] <= result["help_to_console_ms_p95"]
