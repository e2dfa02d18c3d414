"""Saving and restoring."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moderation import events as ev
from moderation.formats import Formats
from moderation.saved import StateError
from moderation.session import Session
from tests.moderation.stage import FORMATS, TOML, Stage


@pytest.fixture
def stage() -> Stage:
    """A session in which much has happened."""
    stage = Stage()
    stage.join("f", "a", "b", "c")
    stage.do(ev.SetPhase("f", "check_in"))
    stage.talk(2, "a", silent="bc")
    stage.do(ev.AskHelp("b"))
    stage.do(ev.RateDistress("b", 8))
    stage.do(ev.MutePerson("f", "c", 100))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.NetworkLost("a"))
    return stage


def test_what_was_restored_saves_to_the_same_bytes(stage: Stage) -> None:
    saved = stage.session.save()
    assert Session.restore(saved, FORMATS).save() == saved


def test_it_goes_on_with_the_same_effects(stage: Stage) -> None:
    twin = Session.restore(stage.session.save(), FORMATS)
    for second in range(300):
        now = stage.now + second
        assert stage.session.handle(ev.Tick(), now) == twin.handle(ev.Tick(), now)


def changed(saved: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(saved), **values}).encode()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schema": 99}, "schema 99 is not known"),
        ({"schema": None}, "schema None is not known"),
        ({"state": {}}, "saved state: RoomState: other fields than expected"),
        ({"state": None}, "saved state: RoomState"),
        ({"listening": None}, "saved state: listening"),
        ({"listening": {"voices": 3}}, "saved state: listening"),
    ],
)
def test_what_cannot_be_restored_says_why(
    stage: Stage, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(StateError) as caught:
        Session.restore(changed(stage.session.save(), **values), FORMATS)
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[]", b"3", b"{}"])
def test_what_is_no_saved_state_says_so(content: bytes) -> None:
    with pytest.raises(StateError, match="saved state"):
        Session.restore(content, FORMATS)


def test_a_wrong_value_is_named(stage: Stage) -> None:
    content = json.loads(stage.session.save())
    content["state"]["people"]["a"]["joined_at"] = "yesterday"
    with pytest.raises(StateError, match=r"people\[a\]\.joined_at: 'yesterday'"):
        Session.restore(json.dumps(content).encode(), FORMATS)


def test_a_format_that_is_gone(stage: Stage) -> None:
    circle = {**TOML["circle"], "default_for": []}
    ring = {**TOML["circle"], "title": "Ring"}
    mappings = {**TOML, "circle": circle, "ring": ring}
    del mappings["circle"]
    with pytest.raises(StateError, match="no format 'circle'"):
        Session.restore(stage.session.save(), Formats.parse(mappings))


def test_time_never_runs_backwards(stage: Stage) -> None:
    saved = stage.session.save()
    assert stage.session.handle(ev.Tick(), stage.now - 500) == []
    assert stage.session.save() == saved
