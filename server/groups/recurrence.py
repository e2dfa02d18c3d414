"""When something repeats: rules of RFC 5545, expanded on the wall clock of a time zone.

Rules are expanded in local time and only then turned into moments, so that a group that meets at
18:00 meets at 18:00 in summer and winter. A local time that a change of clocks leaves out is read
with the offset before the change, and one that comes twice is the first (RFC 5545, 3.3.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from dateutil.rrule import rrule, rrulestr

from server.refusals import Refused

MAX_STEPS = 5_000
"""The most occurrences of one rule that are looked at: daily, thirteen years."""

_WEEKDAY = "(MO|TU|WE|TH|FR|SA|SU)"
_DAY_OF_MONTH = r"-?([1-9]|[12]\d|3[01])"
_PARTS = {
    "FREQ": re.compile("DAILY|WEEKLY|MONTHLY"),
    "INTERVAL": re.compile(r"[1-9]\d?"),
    "COUNT": re.compile(r"[1-9]\d{0,2}"),
    "UNTIL": re.compile(r"\d{8}(T\d{6}Z)?"),
    "WKST": re.compile(_WEEKDAY),
    "BYDAY": re.compile(rf"(-?[1-5])?{_WEEKDAY}(,(-?[1-5])?{_WEEKDAY}){{0,13}}"),
    "BYMONTHDAY": re.compile(rf"{_DAY_OF_MONTH}(,{_DAY_OF_MONTH}){{0,30}}"),
    "BYSETPOS": re.compile("-?[1-5](,-?[1-5]){0,4}"),
}
_MONTHLY_ONLY = ("BYMONTHDAY", "BYSETPOS")
_BASIC = "%Y%m%dT%H%M%S"


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of this name.

    Raises:
        Refused: ``bad_time_zone``.
    """
    try:
        if name in _time_zones():
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise Refused("bad_time_zone", "This is no time zone that we know, such as Europe/Berlin.")


def local_time(text: str) -> datetime:
    """Read a wall-clock time such as ``2027-01-05T18:00:00``; it has no time zone.

    Raises:
        Refused: ``bad_time``.
    """
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", text):
            raise ValueError
        local = datetime.fromisoformat(text)
        if not 2000 <= local.year <= 2200:
            raise ValueError
    except ValueError:
        raise Refused("bad_time", "This is no date and time.") from None
    return local


def written(local: datetime) -> str:
    """A wall-clock time as it is stored."""
    return local.strftime("%Y-%m-%dT%H:%M:%S")


def moment(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment of a wall-clock time, in UTC."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def checked_rule(text: str) -> str:
    """An RRULE, without its name, in capitals.

    Days, weeks and months are enough for groups; what is left out (such as rules by the second)
    is also what takes long to expand.

    Raises:
        Refused: ``bad_rule``.
    """
    rule = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if name in parts or name not in _PARTS or not _PARTS[name].fullmatch(value):
            raise _bad_rule()
        parts[name] = value
    frequency = parts.get("FREQ")
    monthly = frequency == "MONTHLY"
    if (
        frequency is None
        or ("COUNT" in parts and "UNTIL" in parts)
        or (not monthly and any(name in parts for name in _MONTHLY_ONLY))
        or (not monthly and re.search(r"\d", parts.get("BYDAY", "")))
        or ("BYSETPOS" in parts and not ("BYDAY" in parts or "BYMONTHDAY" in parts))
    ):
        raise _bad_rule()
    return rule


def _bad_rule() -> Refused:
    return Refused("bad_rule", "This rule for repeating is not one that a schedule can have.")


def _expandable(rule: str, starts_at: datetime, zone: ZoneInfo) -> rrule:
    """The rule in local time: UNTIL is in UTC and becomes local, too (RFC 5545, 3.3.10)."""

    def to_local(match: re.Match[str]) -> str:
        value = match[1]
        if "T" not in value:
            return f"UNTIL={value}T235959"
        utc = datetime.strptime(value, _BASIC + "Z").replace(tzinfo=UTC)
        return f"UNTIL={utc.astimezone(zone).strftime(_BASIC)}"

    try:
        local = re.sub(r"UNTIL=(\d{8}(?:T\d{6}Z)?)", to_local, rule)
        expanded = rrulestr(local, dtstart=starts_at)
    except (ValueError, OverflowError):
        raise _bad_rule() from None
    assert isinstance(expanded, rrule)
    return expanded


def local_starts(rule: str | None, starts_at: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The starts that a rule gives, in local time, in order; at most `MAX_STEPS`."""
    if rule is None:
        return iter([starts_at])
    return islice(iter(_expandable(rule, starts_at, zone)), MAX_STEPS)


def first_start(rule: str | None, starts_at: datetime, zone: ZoneInfo) -> datetime:
    """The first start that a rule gives, from this time on.

    A schedule is stored with it as its start: what calendars do with a start that does not fit
    its own rule is not defined (RFC 5545, 3.8.5.3).

    Raises:
        Refused: ``bad_rule`` if it gives none at all.
    """
    first = next(local_starts(rule, starts_at, zone), None)
    if first is None:
        raise Refused("bad_rule", "By this rule the group would never meet.")
    return first


def ended(rule: str, until: datetime) -> str:
    """The rule, without what would come after ``until`` (aware); something has to."""
    kept = [part for part in rule.split(";") if not part.startswith(("COUNT=", "UNTIL="))]
    return ";".join([*kept, f"UNTIL={until.astimezone(UTC).strftime(_BASIC)}Z"])
