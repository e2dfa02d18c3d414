"""The scorer on rows made by hand, and the whole bench on a folder made up for it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from bench.moderation import Decision, Matcher, Row, Score, main, read, run


def row(
    label: str, onset: float, end: float = 0.0, *, who: str = "b", in_pause: bool = False
) -> Row:
    return Row(who, onset, end or onset + 1, label, in_pause)


def decision(onset: float, after: float = 1.0, who: str = "b") -> Decision:
    return Decision("nudge", who, onset, onset + after)


def scored(rows: list[Row], *decisions: Decision) -> dict[str, float | int | None]:
    score = Score()
    score.add(rows, decisions)
    return score.result()


ROWS = [
    row("INT", 10),
    row("INTRUDE", 20),
    row("BC", 30),
    row("BC", 40),
    row("COOP", 50),
    row("LATE", 60),
    row("SHORT", 70),
    row("UNL", 80),
    row("INT", 90, in_pause=True),
]


def test_nothing_decided() -> None:
    assert scored(ROWS) == {
        "precision": None,
        "recall": 0.0,
        "f1": 0.0,
        "backchannel_false_rate": 0.0,
        "latency_ms_p50": None,
        "decisions": 0,
    }


def test_all_that_is_to_be_found_and_nothing_else() -> None:
    assert scored(ROWS, decision(10, 0.8), decision(20, 1.2)) == {
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "backchannel_false_rate": 0.0,
        "latency_ms_p50": 1000,
        "decisions": 2,
    }


def test_everything() -> None:
    result = scored(ROWS, *(decision(row.onset) for row in ROWS))
    # Of nine, the unlabelled one does not count; the one begun in a pause is right, though it
    # need not have been found.
    assert result["decisions"] == 8
    assert result["precision"] == pytest.approx(3 / 8)
    assert result["recall"] == 1.0
    assert result["f1"] == pytest.approx(2 * 0.375 / 1.375, abs=1e-4)
    assert result["backchannel_false_rate"] == 1.0


def test_one_begun_in_a_pause_adds_nothing_to_recall() -> None:
    result = scored(ROWS, decision(90))
    assert (result["precision"], result["recall"]) == (1.0, 0.0)


def test_a_decision_without_a_row_is_wrong() -> None:
    result = scored(ROWS, decision(10), decision(55))
    assert (result["precision"], result["recall"]) == (0.5, 0.5)


def test_two_decisions_on_one_row_find_it_once() -> None:
    result = scored(ROWS, decision(10), decision(10.2), decision(30), decision(30.1))
    assert (result["recall"], result["backchannel_false_rate"]) == (0.5, 0.5)


def test_meetings_add_up() -> None:
    score = Score()
    score.add([row("INT", 10)], [decision(10)])
    score.add([row("INT", 10), row("BC", 20)], [decision(20)])
    result = score.result()
    assert (result["precision"], result["recall"]) == (0.5, 0.5)
    assert result["backchannel_false_rate"] == 1.0


@pytest.mark.parametrize(
    ("onset", "found"),
    [
        (10.0, 0),
        (9.7, 0),  # within 0.3 s
        (9.69, None),
        (10.3, 0),
        (10.9, 1),  # the nearest, though the first row is around it
        (10.6, 0),  # near none: the one that it lies inside
        (15.0, 2),  # inside a long one that began long before, with a shorter one between
        (20.5, None),
    ],
)
def test_matching(onset: float, found: int | None) -> None:
    rows = [row("INT", 10, 11), row("BC", 11.1, 11.3), row("INT", 12, 20), row("BC", 13, 13.4)]
    assert Matcher(rows).row("b", onset) == found
    assert Matcher(rows).row("a", onset) is None


TIMELINE = """meeting,split,speaker,start,end,label,status,voiced
M1,train,a,1.0,20.0,s,A,1.00-9.00;9.50-20.00
M1,train,b,4.0,4.3,b,A,4.00-4.30
M1,train,b,12.0,15.0,s,A,12.00-15.00
M1,train,b,16.0,16.0,x,D,
M2,val,a,1.0,6.0,s.%-,A,1.00-5.00
M2,val,b,4.0,9.0,s,A,4.00-9.00
"""
OVERLAPS = (
    "meeting,split,challenger,victim,onset,end,class,onset_in_pause,victim_da_remaining_s,"
    "challenger_talk_next3s\n"
    "M1,train,b,a,4.000,4.300,BC,0,16.00,0.30\n"
    "M1,train,b,a,12.000,15.000,INTRUDE,0,8.00,3.00\n"
    "M2,val,b,a,4.000,9.000,INT,0,1.00,3.00\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("timeline", TIMELINE), ("overlaps", OVERLAPS)):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt", encoding="utf-8") as file:
            file.write(text)
    return tmp_path


def test_reading_a_folder(folder: Path) -> None:
    meetings = read(folder)
    assert list(meetings) == ["M1", "M2"]
    assert meetings["M1"].voiced == {
        "a": [(1.0, 9.0), (9.5, 20.0)],
        "b": [(4.0, 4.3), (12.0, 15.0)],
    }
    assert meetings["M1"].rows[0] == Row("b", 4.0, 4.3, "BC", onset_in_pause=False)
    assert list(read(folder, "val")) == ["M2"]


def test_a_run_over_meetings(folder: Path) -> None:
    result = run(read(folder).values())
    for rung, latency_ms in (("nudge", 1_000), ("mute", 1_800)):
        found = result[rung]
        assert isinstance(found, dict)
        assert (found["precision"], found["recall"], found["f1"]) == (1.0, 1.0, 1.0)
        assert found["backchannel_false_rate"] == 0.0
        assert found["latency_ms_p50"] == pytest.approx(latency_ms, abs=50)
    assert result["meetings"] == 2


@pytest.mark.parametrize("quiet", [True, False])
def test_the_command_prints_json_last(
    folder: Path, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    main(["--data", str(folder), "--split", "val", *(["--json"] if quiet else [])])
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(lines[-1])
    assert {"nudge", "mute", "speed_x_realtime"} <= set(result)
    assert result["nudge"]["decisions"] == 1
    assert result["speed_x_realtime"] > 1
    assert (len(lines) == 1) == quiet


@pytest.mark.parametrize("arguments", [["--data", "/nowhere"], ["--split", "none"]])
def test_what_is_missing_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(folder), *arguments])
    assert arguments[1] in capsys.readouterr().err
