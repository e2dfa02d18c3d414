from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from server.admission import Entrant
from server.groups.persons import Person
from server.waiting_room import AWAY_S, Wait, WaitingRoom
from signaling.refusal import Refused

KEY = "K" * 21 + "A"
START = datetime(2027, 1, 5, 23, 0, tzinfo=UTC)


def entrant(name: str, *, waits: bool = True) -> Entrant:
    return Entrant(
        person=Person(f"account-{name}"),
        group_id="group",
        starts_at=START,
        closes_at=START + timedelta(hours=2),
        group_role="participant",
        name=name,
        pronouns=None,
        kind="member",
        key=f"membership-{name}",
        waits=waits,
        members_wait=True,
        formats=("open",),
    )


ADA, BEN, CLEO = entrant("Ada"), entrant("Ben"), entrant("Cleo")


def knocked(room: WaitingRoom, who: Entrant, now: float = 0.0, key: str = KEY) -> Wait:
    wait = room.knock(who, key, now)
    assert wait is not None
    return wait


def code(room: WaitingRoom, who: Entrant) -> str | None:
    """Why someone cannot come in; None: they did."""
    try:
        room.came_in(who)
    except Refused as refused:
        return refused.code
    return None


def waiting(room: WaitingRoom) -> list[str]:
    return [wait.entrant.name for wait in room.people]


def test_who_waits_comes_in_once_admitted_and_not_before() -> None:
    room = WaitingRoom()
    assert code(room, ADA) == "not_let_in"
    ada, ben = knocked(room, ADA), knocked(room, BEN, 1.0)
    assert waiting(room) == ["Ada", "Ben"]
    assert code(room, ADA) == "not_let_in"
    assert room.admit([ada.id, "somebody-else"]) == [ada]
    assert waiting(room) == ["Ben"]
    assert code(room, ADA) is None
    assert code(room, BEN) == "not_let_in"
    assert room.admit({ben.id}) == [ben]
    assert code(room, BEN) is None


def test_an_id_tells_nothing_and_is_good_for_one_wait() -> None:
    room = WaitingRoom()
    first = knocked(room, ADA)
    assert ADA.person.id not in first.id
    room.left(ADA.person)
    second = knocked(room, ADA)
    assert second.id != first.id
    with pytest.raises(Refused) as refused:
        room.admit([first.id])
    assert refused.value.code == "not_waiting"
    with pytest.raises(Refused):
        room.turn_away(first.id)
    assert code(room, ADA) == "not_let_in"


def test_who_need_not_wait_comes_in_at_once() -> None:
    room = WaitingRoom()
    fay = entrant("Fay", waits=False)
    assert room.knock(fay, KEY, 0.0) is None
    assert waiting(room) == []
    assert code(room, fay) is None


def test_who_was_let_in_stays_so_for_the_session() -> None:
    room = WaitingRoom()
    room.admit([knocked(room, ADA).id])
    assert code(room, ADA) is None
    assert room.knock(ADA, KEY, 3_600.0) is None
    assert not room.must_wait(ADA)
    assert code(room, ADA) is None


def test_knocking_again_keeps_the_place_in_the_row() -> None:
    room = WaitingRoom()
    first = knocked(room, ADA)
    knocked(room, BEN, 1.0)
    room.lost(ADA.person, 2.0)
    again = knocked(room, ADA, 2.0 + AWAY_S - 0.1)
    assert (again.id, again.since, again.away_since) == (first.id, 0.0, None)
    assert waiting(room) == ["Ada", "Ben"]
    assert room.deadline is None


def test_who_is_away_for_too_long_waits_no_more() -> None:
    room = WaitingRoom()
    knocked(room, ADA)
    knocked(room, BEN)
    room.lost(ADA.person, 5.0)
    room.lost(ADA.person, 9.0)
    assert room.deadline == 5.0 + AWAY_S
    room.tick(5.0 + AWAY_S - 0.1)
    assert waiting(room) == ["Ada", "Ben"]
    room.tick(5.0 + AWAY_S)
    assert waiting(room) == ["Ben"]
    assert knocked(room, ADA, 60.0).since == 60.0
    assert waiting(room) == ["Ben", "Ada"]


def test_knocking_with_another_key_is_seen() -> None:
    room = WaitingRoom()
    first = knocked(room, ADA)
    assert first.mls_id == KEY
    other = "L" * 21 + "A"
    again = knocked(room, ADA, 1.0, other)
    assert (again.id, again.since, again.mls_id) == (first.id, first.since, other)
    assert [wait.mls_id for wait in room.people] == [other]


def test_who_is_admitted_while_away_need_not_knock_again() -> None:
    room = WaitingRoom()
    ada = knocked(room, ADA)
    room.lost(ADA.person, 1.0)
    assert [wait.entrant for wait in room.admit([ada.id])] == [ADA]
    assert room.knock(ADA, KEY, 2.0) is None


def test_who_is_turned_away_may_knock_again() -> None:
    room = WaitingRoom()
    ada = knocked(room, ADA)
    assert room.turn_away(ada.id) == ada
    assert waiting(room) == []
    assert code(room, ADA) == "not_let_in"
    assert knocked(room, ADA, 60.0).since == 60.0


@pytest.mark.parametrize("waits", [True, False])
def test_who_is_sent_out_has_to_be_let_in_anew(waits: bool) -> None:
    room = WaitingRoom()
    ada = replace(ADA, waits=waits)
    room.was_inside(ada.person)
    assert code(room, ada) is None
    room.send_out(ada.person, keep_out=False)
    assert code(room, ada) == "not_let_in"
    room.was_inside(ada.person)  # their resume token from before proves nothing any more
    assert code(room, ada) == "not_let_in"
    room.admit([knocked(room, ada).id])
    assert code(room, ada) is None


@pytest.mark.parametrize("waits", [True, False])
def test_who_is_kept_out_does_not_even_wait(waits: bool) -> None:
    room = WaitingRoom()
    ada = replace(ADA, waits=waits)
    room.was_inside(ada.person)
    room.send_out(ada.person, keep_out=True)
    room.was_inside(ada.person)
    assert code(room, ada) == "may_not_enter"
    with pytest.raises(Refused) as refused:
        room.knock(ada, KEY, 1.0)
    assert refused.value.code == "may_not_enter"
    assert waiting(room) == []
    room.leave_to_ban(ada.person)
    knocked(room, ada, 2.0)
    assert code(room, ada) == "not_let_in"


def test_who_came_in_by_another_way_does_not_wait() -> None:
    room = WaitingRoom()
    knocked(room, ADA)
    room.was_inside(ADA.person)
    assert code(room, ADA) is None
    assert waiting(room) == []


def test_it_knows_those_who_knocked_or_were_inside() -> None:
    room = WaitingRoom()
    assert not room.knows(ADA.person)
    room.turn_away(knocked(room, ADA).id)
    room.was_inside(BEN.person)
    assert room.knows(ADA.person)
    assert room.knows(BEN.person)
    assert not room.knows(CLEO.person)
