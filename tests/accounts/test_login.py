"""Logging in by password and second factor."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pyotp
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from server.accounts import own_factors, recovery_codes, set_up, step_up
from server.accounts.accounts import ANONYMOUS
from server.accounts.passwords import Passwords
from server.accounts.services import account_services
from server.refusals import Refused
from server.storage.models import Account, Password, TotpSecret
from tests.accounts.authenticator import Authenticator
from tests.accounts.place import ADDRESS, EMAIL, NOW, PASSWORD, Place, later


async def test_a_password_and_a_code_log_in(place: Place) -> None:
    person = await place.person()
    now = later(minutes=1)
    ticket, steps = await place.password(" ada@EXAMPLE.org ", now=now)
    assert steps == ("totp",)
    token = await place.code(ticket, person.code(now), now)
    who = await place.resolve(token, now)
    assert who is not None
    assert who.id == person.id
    assert who.stepped_up_at == now
    done = (await place.audited("account.login"))[-1]
    assert done == (person.id, "done", person.id, {"by": "totp"})


async def test_a_password_alone_can_only_set_up_a_second_factor(place: Place) -> None:
    await place.newcomer(await place.invitation())
    ticket, steps = await place.password()
    assert steps == ("set_up",)
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(ticket, "000000")
    async with place.storage.snapshot() as session:
        account = (await session.scalars(select(Account))).one()
        await recovery_codes_of(place, account.id)
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(ticket, "0" * 24, kind="recovery_code")


async def recovery_codes_of(place: Place, account_id: str) -> list[str]:
    async with place.storage.transaction() as session:
        return await recovery_codes.replace(session, account_id, NOW)


async def test_a_password_adds_no_factor_to_an_account_that_has_a_second(place: Place) -> None:
    """A ticket from before does not either."""
    old = await place.newcomer(await place.invitation())
    other, _ = await place.password()
    own, secret, _ = await set_up.begin_totp(
        place.services, place.storage, place.keyring, place.act(), other
    )
    mine, my_secret, _ = await set_up.begin_totp(
        place.services, place.storage, place.keyring, place.act(), old
    )
    args = (place.services, place.storage, place.keyring, place.act())
    await set_up.finish_totp(*args, old, mine, pyotp.TOTP(my_secret).at(NOW), "x")
    with pytest.raises(Refused, match="ticket_ended"):
        await set_up.finish_totp(*args, other, own, pyotp.TOTP(secret).at(NOW), "x")
    with pytest.raises(Refused, match="ticket_ended"):
        await set_up.begin_totp(*args, other)


async def test_unknown_and_known_are_answered_alike_and_with_the_same_work(place: Place) -> None:
    await place.person()
    await place.by_passkey(Authenticator(), "grace@example.org")
    refusals = []
    work = []
    for number, email in enumerate(["ada@example.org", "nobody@example.org", "grace@example.org"]):
        before = place.services.passwords.checks
        events = len(await place.audited("account.login"))
        with pytest.raises(Refused) as caught:
            await place.password(email, "not the password", address=f"192.0.2.{number}")
        refusals.append((caught.value.code, caught.value.message, caught.value.status))
        work.append(
            (
                place.services.passwords.checks - before,
                len(await place.audited("account.login")) - events,
            )
        )
    assert len(set(refusals)) == 1
    assert work == [(1, 1)] * 3


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
async def test_guessing_is_slowed_down_alike_for_known_and_unknown(
    place: Place, email: str
) -> None:
    await place.person()
    now = later(minutes=1)
    for number in range(4):
        with pytest.raises(Refused, match="wrong_credentials"):
            await place.password(email, "wrong", now=now, address=f"192.0.2.{number}")
    for wait in (1, 2, 4, 8, 16):
        before = place.services.passwords.checks
        with pytest.raises(Refused, match="slow_down") as caught:
            await place.password(email, PASSWORD, now=now)
        assert caught.value.retry_after_s == wait
        assert place.services.passwords.checks == before
        now += timedelta(seconds=wait)
        with pytest.raises(Refused, match="wrong_credentials"):
            await place.password(email, "wrong", now=now)


async def test_many_guesses_at_once_are_no_way_around_the_waiting(place: Place) -> None:
    await place.person()
    now = later(minutes=1)
    before = place.services.passwords.checks
    results = await asyncio.gather(
        *(place.password(EMAIL, f"guess {n}", now=now) for n in range(30)), return_exceptions=True
    )
    codes = [result.code for result in results if isinstance(result, Refused)]
    assert codes.count("wrong_credentials") == 4
    assert codes.count("slow_down") == 26
    assert place.services.passwords.checks - before == 4


async def test_the_waiting_outlasts_a_restart(place: Place) -> None:
    await place.person()
    now = later(minutes=1)
    for _ in range(4):
        with pytest.raises(Refused, match="wrong_credentials"):
            await place.password(password="wrong", now=now)
    with account_services(place.services.passwords) as fresh:
        again = Place(place.storage, place.keyring, fresh)
        with pytest.raises(Refused, match="slow_down"):
            await again.password(now=now)
        await again.password(now=now + timedelta(seconds=1))


async def test_an_address_is_slowed_down_whatever_it_guesses(place: Place) -> None:
    for number in range(21):
        with pytest.raises(Refused, match="wrong_credentials"):
            await place.password(f"person{number}@example.org", "wrong")
    with pytest.raises(Refused, match="slow_down"):
        await place.password("one.more@example.org", "wrong")
    with pytest.raises(Refused, match="wrong_credentials"):
        await place.password("other@example.org", "wrong", address="198.51.100.1")


async def test_guessed_codes_slow_down_even_with_the_password(place: Place) -> None:
    await place.person()
    now = later(minutes=1)
    for _ in range(4):
        ticket, _ = await place.password(now=now)
        with pytest.raises(Refused, match="wrong_code"):
            await place.code(ticket, "000000", now)
    with pytest.raises(Refused, match="slow_down"):
        await place.password(now=now)
    with pytest.raises(Refused, match="slow_down"):
        await place.code(ticket, "000000", now)


async def test_a_code_is_taken_once(place: Place) -> None:
    person = await place.person()
    now = later(minutes=1)
    ticket, _ = await place.password(now=now)
    await place.code(ticket, person.code(now), now)
    ticket, _ = await place.password(now=now)
    with pytest.raises(Refused, match="wrong_code"):
        await place.code(ticket, person.code(now), now)
    with pytest.raises(Refused, match="wrong_code"):  # of the step before
        await place.code(ticket, person.code(now - timedelta(seconds=30)), now)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_two_with_the_same_code_one_logs_in(place: Place) -> None:
    person = await place.person()
    now = later(minutes=1)
    tickets = [(await place.password(now=now))[0] for _ in range(2)]
    results = await asyncio.gather(
        *(place.code(ticket, person.code(now), now) for ticket in tickets),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Refused", "str"]


@pytest.mark.parametrize(
    ("off_s", "is_taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)]
)
async def test_a_clock_may_be_off_by_one_step(place: Place, off_s: int, is_taken: bool) -> None:
    person = await place.person()
    now = later(minutes=10)
    ticket, _ = await place.password(now=now)
    code = person.code(now + timedelta(seconds=off_s))
    if is_taken:
        await place.code(ticket, code, now)
    else:
        with pytest.raises(Refused, match="wrong_code"):
            await place.code(ticket, code, now)


async def test_a_ticket_ends_with_time_use_and_a_new_password(place: Place) -> None:
    person = await place.person()
    now = later(minutes=10)
    ticket, _ = await place.password(now=now)
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(ticket, person.code(now), now + timedelta(minutes=5))
    ticket, _ = await place.password(now=now)
    await place.code(ticket, person.code(now), now)
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(ticket, person.code(now + timedelta(seconds=30)), now)

    now = later(minutes=20)
    who = await place.logged_in(person, now)
    ticket, _ = await place.password(now=now)
    await own_factors.set_password(
        place.services, place.storage, place.keyring, place.act(who.id, now), who, PASSWORD + "!"
    )
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(ticket, person.code(now + timedelta(seconds=30)), now)


async def test_recovery_codes_work_once_each(place: Place) -> None:
    person = await place.person()
    now = later(minutes=1)
    who = await place.logged_in(person, now)
    codes = await own_factors.make_recovery_codes(place.storage, place.act(who.id, now), who)
    assert len(set(codes)) == 10
    ticket, steps = await place.password(now=now)
    assert "recovery_code" in steps
    await place.code(ticket, codes[0].upper().replace("-", " "), now, kind="recovery_code")
    ticket, _ = await place.password(now=now)
    with pytest.raises(Refused, match="wrong_code"):
        await place.code(ticket, codes[0], now, kind="recovery_code")
    await own_factors.make_recovery_codes(place.storage, place.act(who.id, now), who)
    with pytest.raises(Refused, match="wrong_code"):  # replaced
        await place.code(ticket, codes[1], now, kind="recovery_code")
    assert len(await place.audited("account.recovery_code_used")) == 1


async def test_a_closed_account_is_like_none(place: Place) -> None:
    person = await place.person()
    ticket, _ = await place.password(now=later(minutes=1))
    async with place.storage.transaction() as session:
        await session.execute(update(Account).where(Account.id == person.id).values(closed_at=NOW))
    now = later(minutes=1)
    with pytest.raises(Refused, match="ticket_ended"):
        await place.code(ticket, person.code(now), now)
    with pytest.raises(Refused, match="wrong_credentials"):
        await place.password(now=now)


async def test_an_outdated_hash_is_replaced_at_the_next_login(place: Place) -> None:
    person = await place.person()
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    with account_services(stronger) as fresh:
        await Place(place.storage, place.keyring, fresh).password(now=later(minutes=1))
    async with place.storage.snapshot() as session:
        stored = await session.get_one(Password, person.id)
    assert "m=16,t=2" in stored.hash
    assert stored.changed_at == NOW


async def test_step_up_needs_password_and_code_and_gives_a_new_token(place: Place) -> None:
    person = await place.person()
    now = later(minutes=1)
    ticket, _ = await place.password(now=now)
    token = await place.code(ticket, person.code(now), now)
    who = await place.resolve(token, now)
    assert who is not None
    now = later(minutes=12)
    args = (place.services, place.storage, place.keyring, place.act(who.id, now), who)
    with pytest.raises(Refused, match="wrong_credentials"):
        await step_up.by_password(*args, PASSWORD, "000000")
    with pytest.raises(Refused, match="wrong_credentials"):
        await step_up.by_password(*args, "wrong", person.code(now))
    new = await step_up.by_password(*args, PASSWORD, person.code(now))
    assert await place.resolve(token, now) is None
    again = await place.resolve(new, now)
    assert again is not None
    assert (again.session_id, again.stepped_up_at) == (who.session_id, now)
    outcomes = [outcome for _, outcome, _, _ in await place.audited("account.step_up")]
    assert outcomes == ["failed", "failed", "done"]


async def test_failures_are_on_record_without_saying_who_tried(place: Place) -> None:
    person = await place.person()
    with pytest.raises(Refused):
        await place.password(password="wrong")
    with pytest.raises(Refused):
        await place.password("nobody@example.org")
    assert (await place.audited("account.login"))[-2:] == [
        (ANONYMOUS, "failed", person.id, {"by": "password"}),
        (ANONYMOUS, "failed", None, {"by": "password"}),
    ]


async def test_nothing_private_is_in_the_database_in_the_clear(place: Place) -> None:
    person = await place.person()
    async with place.storage.snapshot() as session:
        account = (await session.scalars(select(Account))).one()
        secret = (await session.scalars(select(TotpSecret))).one()
    stored = repr([vars(account), vars(secret)])
    for private in ("Ada", "example", person.secret, ADDRESS):
        assert private not in stored
