"""SFrame, against the test vectors of RFC 9605 appendix C."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulated.sframe import (
    AES_128_GCM_SHA256_128,
    AES_256_GCM_SHA512_128,
    FrameKey,
    Header,
    NotSFrame,
    read_header,
    write_header,
)

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "data" / "sframe.json").read_text()
)
SUITES = {suite.number: suite for suite in (AES_128_GCM_SHA256_128, AES_256_GCM_SHA512_128)}


def test_headers() -> None:
    assert len(VECTORS["header"]) == 289
    for vector in VECTORS["header"]:
        encoded = bytes.fromhex(vector["encoded"])
        assert write_header(vector["kid"], vector["ctr"]) == encoded
        assert read_header(encoded + b"\xff") == Header(vector["kid"], vector["ctr"], len(encoded))
        for length in range(len(encoded)):
            with pytest.raises(NotSFrame):
                read_header(encoded[:length])


@pytest.mark.parametrize("vector", VECTORS["sframe"], ids=lambda vector: vector["cipher_suite"])
def test_frames(vector: dict[str, Any]) -> None:
    binary = {name: bytes.fromhex(text) for name, text in vector.items() if isinstance(text, str)}
    key = FrameKey(SUITES[vector["cipher_suite"]], vector["kid"], binary["base_key"])
    assert key.seal(vector["ctr"], binary["pt"], binary["metadata"]) == binary["ct"]
    header = read_header(binary["ct"])
    assert (header.kid, header.counter) == (vector["kid"], vector["ctr"])
    assert key.open(header, binary["ct"], binary["metadata"]) == binary["pt"]
    assert key.open(header, binary["ct"], b"other metadata") is None
    for at in range(header.length, len(binary["ct"])):
        changed = bytearray(binary["ct"])
        changed[at] ^= 1
        assert key.open(header, bytes(changed), binary["metadata"]) is None
