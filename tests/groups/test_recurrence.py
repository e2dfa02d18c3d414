from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.groups.recurrence import checked_rule, first_start, local_time, moment, time_zone
from server.groups.schedule import expand
from server.refusals import Refused
from server.storage.models import Schedule, ScheduleException

BERLIN = "Europe/Berlin"


def schedule(starts_at: str, rule: str | None, zone: str = BERLIN, minutes: int = 60) -> Schedule:
    return Schedule(
        id="s",
        group_id="g",
        starts_at=starts_at,
        time_zone=zone,
        recurrence=rule,
        duration_minutes=minutes,
    )


def starts(row: Schedule, *exceptions: ScheduleException) -> list[str]:
    since = datetime(2027, 1, 1, tzinfo=UTC)
    found = expand(row, exceptions, since, since + timedelta(days=366))
    return [f"{one.starts_at:%m-%dT%H:%M}" for one in found]


def test_the_local_time_stays_over_a_change_of_clocks() -> None:
    # In Berlin summer time begins on 28 March 2027, and ends on 31 October.
    weekly = schedule("2027-03-23T18:00:00", "FREQ=WEEKLY;COUNT=2")
    assert starts(weekly) == ["03-23T17:00", "03-30T16:00"]
    assert starts(schedule("2027-10-26T18:00:00", "FREQ=WEEKLY;COUNT=2")) == [
        "10-26T16:00",
        "11-02T17:00",
    ]


def test_a_local_time_that_is_left_out_or_comes_twice() -> None:
    zone = time_zone(BERLIN)
    left_out = moment(local_time("2027-03-28T02:30:00"), zone)
    assert left_out == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # shown as 03:30
    twice = moment(local_time("2027-10-31T02:30:00"), zone)
    assert twice == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)  # the first one, in summer time


def test_the_duration_is_exact_over_a_change_of_clocks() -> None:
    night = schedule("2027-03-28T01:30:00", None, minutes=90)
    (one,) = expand(night, (), datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC))
    assert one.ends_at - one.starts_at == timedelta(minutes=90)


def test_until_is_read_in_utc() -> None:
    # 18:00 in New York is 23:00 UTC; the last start is the one at UNTIL itself.
    rule = "FREQ=DAILY;UNTIL=20270107T230000Z"
    found = starts(schedule("2027-01-05T18:00:00", rule, "America/New_York"))
    assert found == ["01-05T23:00", "01-06T23:00", "01-07T23:00"]


def test_rules_that_groups_have() -> None:
    assert starts(schedule("2027-01-04T09:00:00", "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", "UTC")) == [
        "01-04T09:00",
        "01-06T09:00",
        "01-11T09:00",
    ]
    last_friday = schedule("2027-01-29T09:00:00", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", "UTC")
    assert starts(last_friday) == ["01-29T09:00", "02-26T09:00"]


def test_called_off_and_moved() -> None:
    row = schedule("2027-01-05T09:00:00", "FREQ=WEEKLY;COUNT=3", "UTC")
    found = expand(
        row,
        [
            ScheduleException(occurrence="2027-01-05T09:00:00", moved_to=None),
            ScheduleException(occurrence="2027-01-19T09:00:00", moved_to="2027-01-06T10:00:00"),
        ],
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 10, tzinfo=UTC),
    )
    assert [(one.starts_at.day, one.is_cancelled, one.is_moved) for one in found] == [
        (5, True, False),
        (6, False, True),
    ]
    assert found[1].rule_start == "2027-01-19T09:00:00"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=YEARLY",
        "BYDAY=TU",
        "FREQ=WEEKLY;BYHOUR=3",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY\nRDATE:20270101",
        "FREQ=DAILY;BYMONTHDAY=31",
        "",
    ],
)
def test_rules_that_are_refused(rule: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_rule(rule)
    assert refused.value.code == "bad_rule"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=1;BYSETPOS=5",
        "FREQ=DAILY;UNTIL=20260101",
        "FREQ=DAILY;UNTIL=20270199",
        "FREQ=DAILY;UNTIL=99999999T999999Z",
    ],
)
def test_rules_that_give_nothing_are_refused_soon(rule: str) -> None:
    with pytest.raises(Refused):
        first_start(checked_rule(rule), local_time("2027-01-05T18:00:00"), time_zone(BERLIN))


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "", "Europe/Berlin\0"])
def test_no_time_zone(name: str) -> None:
    with pytest.raises(Refused):
        time_zone(name)
