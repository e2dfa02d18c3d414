"""Formats from mappings: what is checked, and what the errors say."""

from __future__ import annotations

from typing import Any

import pytest

from moderation.formats import PHASES, FormatError, Formats, parse_format
from tests.moderation.stage import FORMATS, TOML


def test_the_shipped_formats() -> None:
    assert set(FORMATS.names()) == {"open", "queue", "circle", "presentation"}
    assert [FORMATS.default_for(phase).name for phase in PHASES] == [
        "open",
        "circle",
        "open",
        "circle",
        "open",
    ]
    assert FORMATS["circle"].turn.length_s == 120


def test_what_is_left_out_keeps_its_default_and_the_shipped_files_say_the_same() -> None:
    for name in ("open", "circle"):
        mapping = {key: TOML[name][key] for key in ("kind", "title", "description", "default_for")}
        assert parse_format(name, mapping) == FORMATS[name]


def changed(name: str, **sections: Any) -> dict[str, Any]:
    return {**TOML[name], **sections}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (changed("queue", knd="queue"), "mine: knd: there is no such key"),
        (changed("queue", kind="disco"), "mine: kind: must be one of open, queue"),
        (changed("queue", title=" "), "mine: title: must be"),
        (changed("queue", description=3), "mine: description: must be a sentence"),
        (changed("queue", description="a" * 301), "mine: description: must be a sentence"),
        (changed("queue", default_for="work"), "mine: default_for: must be a list"),
        (changed("queue", default_for=["noon"]), "mine: default_for: must be a list"),
        (changed("queue", turn=3), "mine: turn: must be a section"),
        (changed("queue", turn={"lenght_s": 3}), "mine: turn.lenght_s: there is no such key"),
        (changed("queue", turn={"length_s": "long"}), "mine: turn.length_s: must be a number"),
        (changed("queue", turn={"length_s": True}), "mine: turn.length_s: must be a number"),
        (changed("queue", turn={"length_s": 1}), "must be a number from 5 to 7200, not 1"),
        (changed("queue", turn={"length_s": float("nan")}), "mine: turn.length_s: must be"),
        (changed("queue", turn={"length_s": 20.0}), "mine: turn.warning_s: must be shorter"),
        (changed("queue", queue={"order": "loudest"}), "mine: queue.order: must be one of"),
        (changed("queue", circle={"rounds": 2}), "mine: circle: means nothing for the kind queue"),
        (changed("circle", circle={"rounds": 1.5}), "mine: circle.rounds: must be a whole number"),
        (changed("circle", circle={"then": 5}), "mine: circle.then: must be text"),
        (changed("open", conduct={"short_mutes_s": 5}), "must be a list of numbers"),
        (changed("open", conduct={"short_mutes_s": [0]}), "mine: conduct.short_mutes_s: must be"),
        (changed("open", overlap={"nudge_pts": 1}), "mine: overlap.nudge_pts"),
        (changed("open", overlap=1), "mine: overlap: must be a section"),
        (changed("open", alerts={"distress_urgent": 3}), "mine: alerts.distress_urgent: must not"),
    ],
)
def test_errors_name_file_and_key(mapping: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_format("mine", mapping)
    assert message in str(caught.value)


def test_each_phase_opens_with_one_format() -> None:
    with pytest.raises(FormatError, match=r"mine: default_for: check_in already opens with circle"):
        Formats.parse({**TOML, "mine": TOML["circle"]})
    with pytest.raises(FormatError, match="no format names the phase check_in"):
        Formats.parse({**TOML, "circle": changed("circle", default_for=["check_out"])})


@pytest.mark.parametrize("then", ["queue", "nothing"])
def test_a_circle_ends_in_an_open_format(then: str) -> None:
    with pytest.raises(FormatError, match=r"circle: circle.then: must name a format of kind open"):
        Formats.parse({**TOML, "circle": changed("circle", circle={"then": then})})


def test_an_operators_own_format() -> None:
    formats = Formats.parse(
        {**TOML, "short": {"kind": "circle", "title": "Short circle", "turn": {"length_s": 45}}}
    )
    assert formats["short"].turn.length_s == 45.0
    assert "short" in formats


@pytest.mark.parametrize(
    ("chosen", "offered", "by_phase"),
    [
        (["queue"], ["queue"], ["queue"] * 5),
        (["open"], ["open"], ["open"] * 5),
        (["queue", "open"], ["queue", "open"], ["queue"] * 5),
        (
            ["queue", "gone", "circle"],
            ["queue", "circle", "open"],
            ["queue", "circle", "queue", "circle", "queue"],
        ),
        (["circle"], ["circle", "open"], ["circle"] * 5),
        (["gone"], ["circle", "open", "presentation", "queue"], None),
    ],
)
def test_what_a_group_has_chosen(
    chosen: list[str], offered: list[str], by_phase: list[str] | None
) -> None:
    formats = FORMATS.chosen(chosen)
    assert sorted(formats.names()) == sorted(offered)
    usual = [FORMATS.default_for(phase).name for phase in PHASES]
    assert [formats.default_for(phase).name for phase in PHASES] == (by_phase or usual)
    assert all(formats[name] is FORMATS[name] for name in offered)
