"""Passkeys, with an authenticator in software."""

from __future__ import annotations

import copy

import pytest
from sqlalchemy import select

from server.accounts import login, own_factors, passkeys, step_up
from server.accounts.links import Site
from server.accounts.signed_in import SignedIn
from server.refusals import Refused
from server.storage.models import Passkey
from tests.accounts.authenticator import Authenticator
from tests.accounts.place import NOW, PASSWORD, SITE, Place, later


async def who_by(place: Place, authenticator: Authenticator) -> SignedIn:
    who = await place.resolve(await place.passkey_login(authenticator), NOW)
    assert who is not None
    return who


async def test_an_account_is_made_and_logged_in_to_by_a_passkey_alone(place: Place) -> None:
    phone = Authenticator()
    account_id = await place.by_passkey(phone)
    who = await place.resolve(await place.passkey_login(phone), NOW)
    assert who is not None
    assert who.id == account_id
    async with place.storage.snapshot() as session:
        row = (await session.scalars(select(Passkey))).one()
    assert (row.label, row.transports, row.sign_count) == ("My phone", "internal,hybrid", 1)
    assert row.last_used_at == NOW


async def test_one_that_does_not_count_can_be_used_again_and_again(place: Place) -> None:
    synced = Authenticator(count=None)
    await place.by_passkey(synced)
    for _ in range(3):
        await place.passkey_login(synced)


async def test_a_clone_is_found_by_its_sign_count(place: Place) -> None:
    phone = Authenticator()
    await place.by_passkey(phone)
    clone = copy.copy(phone)
    await place.passkey_login(phone)
    await place.passkey_login(phone)
    with pytest.raises(Refused, match="passkey_refused"):
        await place.passkey_login(clone)
    assert (await place.audited("account.login"))[-1][1] == "failed"


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://groups.example.org.evil.example"},
        {"origin": "http://groups.example.org"},
        {"verifies": False},
        {"credential_id": b"unknown" * 4},
        {"handle": b"someone else"},
        {"handle": b""},
    ],
)
async def test_what_does_not_fit_is_refused(place: Place, changes: dict[str, object]) -> None:
    phone = Authenticator()
    await place.by_passkey(phone)
    for name, value in changes.items():
        setattr(phone, name, value)
    with pytest.raises(Refused, match="passkey_refused"):
        await place.passkey_login(phone)


async def test_without_user_verification_none_is_made(place: Place) -> None:
    with pytest.raises(Refused, match="passkey_refused"):
        await place.by_passkey(Authenticator(verifies=False))


async def test_a_challenge_expires_and_is_used_once(place: Place) -> None:
    phone = Authenticator(count=None)
    await place.by_passkey(phone)
    with pytest.raises(Refused, match="passkey_refused"):
        await place.passkey_login(phone, now=later(minutes=5), asked_at=NOW)
    ticket, options = login.ask_for_passkey(place.services, place.act(), SITE)
    answer = phone.use(options)
    args = (place.services, place.storage, place.act(), ticket, answer, "x")
    await login.give_passkey(*args)
    with pytest.raises(Refused, match="passkey_refused"):
        await login.give_passkey(*args)


async def test_a_challenge_for_one_purpose_is_none_for_another(place: Place) -> None:
    phone = Authenticator(count=None)
    await place.by_passkey(phone)
    who = await who_by(place, phone)
    ticket, options = await step_up.ask_for_passkey(
        place.services, place.storage, place.act(who.id), who, SITE
    )
    with pytest.raises(Refused, match="passkey_refused"):
        await login.give_passkey(
            place.services, place.storage, place.act(), ticket, phone.use(options), "x"
        )


async def test_step_up_by_ones_own_passkey_only(place: Place) -> None:
    phone, other = Authenticator(), Authenticator()
    await place.by_passkey(phone)
    await place.by_passkey(other, "other@example.org")
    who = await who_by(place, phone)
    args = (place.services, place.storage, place.act(who.id), who)
    ticket, options = await step_up.ask_for_passkey(*args, SITE)
    with pytest.raises(Refused, match="passkey_refused"):
        await step_up.by_passkey(*args, ticket, other.use(options))
    ticket, options = await step_up.ask_for_passkey(*args, SITE)
    token = await step_up.by_passkey(*args, ticket, phone.use(options))
    assert await place.resolve(token, NOW) is not None


async def test_the_last_way_in_stays(place: Place) -> None:
    phone, key = Authenticator(), Authenticator()
    await place.by_passkey(phone)
    who = await who_by(place, phone)
    act = place.act(who.id)
    async with place.storage.snapshot() as session:
        first = (await passkeys.own(session, who.id))[0]
    with pytest.raises(Refused, match="last_factor"):
        await own_factors.remove_passkey(place.storage, act, who, first.id)
    await own_factors.set_password(place.services, place.storage, place.keyring, act, who, PASSWORD)
    with pytest.raises(Refused, match="last_factor"):  # a password alone lets nobody in
        await own_factors.remove_passkey(place.storage, act, who, first.id)
    args = (place.services, place.storage, place.keyring, act, who, SITE)
    ticket, options = await own_factors.begin_passkey(*args)
    assert len(options["excludeCredentials"]) == 1
    await own_factors.add_passkey(
        place.services, place.storage, act, who, ticket, key.make(options), None
    )
    await own_factors.remove_passkey(place.storage, act, who, first.id)
    with pytest.raises(Refused, match="passkey_refused"):
        await place.passkey_login(phone)
    await place.passkey_login(key)


async def test_nobody_can_touch_the_passkeys_of_others(place: Place) -> None:
    phone, other = Authenticator(), Authenticator()
    await place.by_passkey(phone)
    theirs = await place.by_passkey(other, "other@example.org")
    who = await who_by(place, phone)
    async with place.storage.snapshot() as session:
        passkey = (await passkeys.own(session, theirs))[0]
    with pytest.raises(Refused, match="not_found"):
        await own_factors.remove_passkey(place.storage, place.act(who.id), who, passkey.id)
    with pytest.raises(Refused, match="not_found"):
        await own_factors.rename_passkey(place.storage, place.act(who.id), who, passkey.id, "x")


async def test_one_credential_belongs_to_one_account(place: Place) -> None:
    phone = Authenticator()
    await place.by_passkey(phone)
    with pytest.raises(Refused, match="passkey_refused"):
        await place.by_passkey(phone, "other@example.org")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://[::1]:8080"])
def test_an_address_without_a_name_has_no_passkeys(origin: str) -> None:
    with pytest.raises(Refused, match="passkeys_unavailable"):
        passkeys.ask_for_proof(Site(origin), "login")
    passkeys.ask_for_proof(Site("http://localhost:8080"), "login")


@pytest.mark.parametrize("credential", [{}, {"id": "é"}, {"id": "AA", "response": {"x": 1}}])
async def test_garbage_is_refused(place: Place, credential: dict[str, object]) -> None:
    ticket, _ = login.ask_for_passkey(place.services, place.act(), SITE)
    with pytest.raises(Refused, match="passkey_refused"):
        await login.give_passkey(
            place.services, place.storage, place.act(), ticket, credential, "x"
        )
