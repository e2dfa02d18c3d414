"""Login sessions, and what devices are called."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.accounts import sessions
from server.accounts.device_label import device_label
from server.refusals import Refused
from tests.accounts.place import NOW, Place, later


async def begin(place: Place, account_id: str) -> str:
    async with place.storage.transaction() as session:
        return await sessions.start(session, account_id, "Firefox on Linux", NOW)


async def test_whoever_does_nothing_is_logged_off_after_15_minutes(place: Place) -> None:
    token = await begin(place, (await place.person()).id)
    now = NOW
    for _ in range(3):  # each use begins the time anew
        now += timedelta(minutes=14, seconds=59)
        assert await place.resolve(token, now) is not None
    assert await place.resolve(token, now + timedelta(minutes=15)) is None


async def test_nobody_is_logged_off_in_the_middle_of_a_session(place: Place) -> None:
    person = await place.person()
    token = await begin(place, person.id)
    assert await place.resolve(token, later(hours=13), live=True) is not None
    token = await begin(place, person.id)
    for minute in range(1, 90):  # the room says so each minute
        await sessions.seen(place.storage, person.id, later(minutes=minute))
    assert await place.resolve(token, later(minutes=103)) is not None
    assert await place.resolve(token, later(minutes=118, seconds=1)) is None


async def test_seen_does_not_bring_back_what_has_ended(place: Place) -> None:
    person = await place.person()
    token = await begin(place, person.id)
    await sessions.seen(place.storage, person.id, later(minutes=15))
    assert await place.resolve(token, later(minutes=15)) is None


async def test_everyone_logs_in_anew_after_12_hours(place: Place) -> None:
    token = await begin(place, (await place.person()).id)
    for minute in range(0, 12 * 60, 10):
        assert await place.resolve(token, later(minutes=minute)) is not None
    assert await place.resolve(token, later(hours=12)) is None


async def test_own_devices_can_be_listed_and_signed_out(place: Place) -> None:
    person, other = await place.person(), await place.person("other@example.org")
    token = await begin(place, person.id)
    theirs = await begin(place, other.id)
    their_session = await place.resolve(theirs, NOW)
    mine = await place.resolve(token, NOW)
    assert mine is not None
    assert their_session is not None
    async with place.storage.transaction() as session:
        assert len(await sessions.own(session, person.id, NOW)) == 2  # with that of setting up
        with pytest.raises(Refused, match="not_found"):
            await sessions.revoke(session, person.id, their_session.session_id, NOW)
        await sessions.revoke_all(session, person.id, NOW, but=mine.session_id)
        assert [each.id for each in await sessions.own(session, person.id, NOW)] == [
            mine.session_id
        ]
        await sessions.revoke(session, person.id, mine.session_id, NOW)
    assert await place.resolve(token, NOW) is None
    assert await place.resolve(theirs, NOW) is not None
    assert await place.resolve("made-up", NOW) is None


@pytest.mark.parametrize(
    ("user_agent", "label"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("<script>alert(1)</script>", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_device_is_called_by_its_browser_and_system(user_agent: str, label: str) -> None:
    assert device_label(user_agent) == label
