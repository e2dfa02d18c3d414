from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from server.admission import LinkTokens, Place, ResumeTokens
from signaling.refusal import Refused

SECRET = "s" * 32
HOUR = timedelta(hours=1)
TOKENS = LinkTokens(SECRET)
RESUME = ResumeTokens(SECRET)
PLACE = Place("someone", "circle", 3, "participant")


def code(room: str, token: str) -> str:
    with pytest.raises(Refused) as refusal:
        TOKENS.admit(room, token)
    return refusal.value.code


def signed(secret: str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {
        "aud": "holdspace-link",
        "room": "circle",
        "role": "participant",
        "exp": datetime.now(UTC) + HOUR,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


def test_link_admits_to_its_room_in_its_role() -> None:
    assert TOKENS.admit("circle", TOKENS.issue("circle", "facilitator", HOUR)).role == "facilitator"
    assert TOKENS.admit("circle", signed()).role == "participant"


def test_links_that_do_not_admit() -> None:
    good = signed()
    assert code("other", good) == "wrong_room"
    assert code("circle", TOKENS.issue("circle", "participant", -HOUR)) == "expired_token"
    assert code("circle", "") == "bad_token"
    assert code("circle", good + "x") == "bad_token"
    assert code("circle", good.rpartition(".")[0] + ".") == "bad_token"
    assert code("circle", signed("t" * 32)) == "bad_token"
    assert code("circle", signed("", "none")) == "bad_token"
    assert code("circle", signed("s" * 64, "HS512")) == "bad_token"
    assert code("circle", signed(aud="holdspace-resume")) == "bad_token"
    assert code("circle", signed(role="owner")) == "bad_token"
    assert code("circle", signed(room=["circle"])) == "bad_token"
    assert code("circle", signed(aud=None)) == "bad_token"
    assert code("circle", signed(room=None)) == "bad_token"
    assert code("circle", signed(role=None)) == "bad_token"
    assert code("circle", signed(exp=None)) == "bad_token"


def test_expired_forgery_is_no_expired_link() -> None:
    assert code("circle", signed("t" * 32, exp=datetime.now(UTC) - HOUR)) == "bad_token"


def test_resume_gives_back_the_place_in_its_room_only() -> None:
    token = RESUME.issue(PLACE)
    assert RESUME.read("circle", token) == PLACE
    assert RESUME.read("other", token) is None
    assert ResumeTokens("t" * 32).read("circle", token) is None
    assert RESUME.read("circle", signed()) is None


def test_resume_admits_nobody() -> None:
    assert code("circle", RESUME.issue(PLACE)) == "bad_token"
