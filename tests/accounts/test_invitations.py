"""Invitations, the first administrator, and closing accounts."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from server.accounts import accounts, directory, invitations
from server.accounts.invitations import Terms
from server.groups import memberships
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Account, Ban, GroupRole, Invitation, Membership
from tests.accounts.authenticator import Authenticator
from tests.accounts.place import EMAIL, NOW, SITE, Place, later


async def count(place: Place, model: type[Account] | type[Membership]) -> int:
    async with place.storage.snapshot() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


async def test_an_invitation_works_once(place: Place) -> None:
    token = await place.invitation()
    await place.newcomer(token)
    with pytest.raises(Refused, match="link_ended"):
        await place.newcomer(token, "other@example.org")
    assert len(await place.audited("invitation.used")) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_two_who_take_it_at_once_one_comes_in(place: Place) -> None:
    token = await place.invitation()
    results = await asyncio.gather(
        *(place.newcomer(token, f"person{n}@example.org") for n in range(2)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Refused", "str"]
    assert await count(place, Account) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_two_with_the_same_email_at_once_one_comes_in(place: Place) -> None:
    tokens = [await place.invitation() for _ in range(2)]
    results = await asyncio.gather(
        *(place.newcomer(token) for token in tokens), return_exceptions=True
    )
    codes = [result.code for result in results if isinstance(result, Refused)]
    assert codes == ["email_taken"]


async def test_an_invitation_expires_and_can_be_taken_back(place: Place) -> None:
    token = await place.invitation(Terms(days=7))
    with pytest.raises(Refused, match="link_ended"):
        await place.newcomer(token, now=later(days=7))
    async with place.storage.snapshot() as session:
        invitation = (await session.scalars(select(Invitation))).one()
    await invitations.revoke(place.storage, place.act("admin"), invitation.id)
    with pytest.raises(Refused, match="link_ended"):
        await place.newcomer(token)
    with pytest.raises(Refused, match="not_found"):
        await invitations.revoke(place.storage, place.act("admin"), invitation.id)


async def test_one_to_a_group_makes_a_member(place: Place) -> None:
    group = await place.group()
    token = await place.invitation(Terms(group, "participant"))
    with pytest.raises(Refused, match="display_name_needed"):
        await place.newcomer(token)
    await place.newcomer(token, display_name="Robin")
    async with place.storage.snapshot() as session:
        membership = (await session.scalars(select(Membership))).one()
    assert (membership.role, membership.display_name) == ("participant", "Robin")


async def test_one_without_a_group_makes_a_facilitator_of_the_server(place: Place) -> None:
    token = await place.invitation(Terms(is_facilitator=True))
    await place.newcomer(token)
    async with place.storage.snapshot() as session:
        account = (await session.scalars(select(Account))).one()
    assert (account.is_facilitator, account.is_administrator) == (True, False)
    [(_, _, _, detail)] = await place.audited("account.created")
    assert detail == {"administrator": False, "facilitator": True}
    again = await place.invitation(Terms(is_facilitator=True))
    with pytest.raises(Refused, match="not_for_you"):
        await invitations.join(place.storage, place.act(account.id), again, None, None)


async def invite(place: Place, by: str, terms: Terms) -> str:
    """The token of an invitation."""
    made = await invitations.invite(
        place.storage, place.keyring, None, place.act(by), SITE, terms, None
    )
    assert made.link is not None
    return made.link.rpartition("#")[2]


async def roles(place: Place, group: str) -> dict[str, str]:
    async with place.storage.snapshot() as session:
        members = await memberships.members(session, group)
    return {one.account_id: one.role for one in members}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_an_administrator_gets_a_group_that_nobody_guides_another_facilitator(
    place: Place,
) -> None:
    group = await place.group()
    admin, fay, eve = [(await place.person(f"{name}@example.org")).id for name in "afe"]
    for terms in (Terms(group, "participant"), Terms(group, "counselor")):
        with pytest.raises(Refused, match="not_allowed"):
            await invite(place, admin, terms)
    with pytest.raises(Refused, match="bad_terms"):
        await invite(place, admin, Terms(group, "facilitator", is_facilitator=True))
    first, second = [await invite(place, admin, Terms(group, "facilitator")) for _ in range(2)]
    # Not themselves, who are not to see into groups; then it is open still.
    with pytest.raises(Refused, match="own_invitation"):
        await invitations.join(place.storage, place.act(admin), first, "Ada", None)
    # Of two who come at once, the second finds that someone guides it.
    came = await asyncio.gather(
        invitations.join(place.storage, place.act(fay), first, "Fay", None),
        invitations.join(place.storage, place.act(eve), second, "Eve", None),
        return_exceptions=True,
    )
    assert [str(each) for each in came if each is not None] == ["link_ended"]
    assert list((await roles(place, group)).values()) == ["facilitator"]
    with pytest.raises(Refused, match="not_allowed"):
        await invite(place, admin, Terms(group, "facilitator"))
    made = await place.audited("invitation.made")
    assert [detail["role"] for _, _, _, detail in made if detail["role"]] == ["facilitator"] * 2


async def test_a_facilitator_invites_others_to_guide_while_guiding(place: Place) -> None:
    group = await place.group()
    fay, gus, cas, dee = [(await place.person(f"{name}@example.org")).id for name in "fgcd"]
    await place.guides(group, fay)
    others: list[tuple[str, GroupRole]] = [(gus, "facilitator"), (cas, "counselor")]
    for who, role in others:
        token = await invite(place, fay, Terms(group, role))
        await invitations.join(place.storage, place.act(who), token, f"N{role}", None)
    assert await roles(place, group) == {fay: "facilitator", gus: "facilitator", cas: "counselor"}
    for by in (cas, dee):
        with pytest.raises(Refused, match="not_allowed"):
            await invite(place, by, Terms(group, "participant"))
    counselor = await invite(place, fay, Terms(group, "counselor"))
    participant = await invite(place, fay, Terms(group, "participant"))
    async with place.storage.transaction() as session:
        member = await memberships.current(session, group, fay)
        assert member is not None
        await memberships.remove(session, place.act(gus), group, member.id)
    with pytest.raises(Refused, match="link_ended"):
        await invitations.join(place.storage, place.act(dee), counselor, "Dee", None)
    await invitations.join(place.storage, place.act(dee), participant, "Dee", None)


async def test_someone_with_an_account_joins_with_it(place: Place) -> None:
    person, group = await place.person(), await place.group()
    token = await place.invitation(Terms(group, "participant"))
    await invitations.join(place.storage, place.act(person.id), token, "Robin", "they")
    assert await count(place, Account) == 1
    again = await place.invitation(Terms(group, "participant"))
    with pytest.raises(Refused, match="already_member"):
        await invitations.join(place.storage, place.act(person.id), again, "Robin", None)
    await place.newcomer(again, "other@example.org", "Kim")  # it was not used up


async def test_who_is_kept_out_cannot_come_by_an_invitation(place: Place) -> None:
    person, group = await place.person(), await place.group()
    ban = Ban(id=new_id(), group_id=group, account_id=person.id, created_at=NOW)
    async with place.storage.transaction() as session:
        session.add(ban)
    token = await place.invitation(Terms(group, "participant"))
    with pytest.raises(Refused, match="banned"):
        await invitations.join(place.storage, place.act(person.id), token, "Robin", None)


async def test_an_account_does_not_become_an_administrators_by_a_link(place: Place) -> None:
    person = await place.person()
    token = await place.invitation(Terms(is_administrator=True))
    with pytest.raises(Refused, match="not_for_you"):
        await invitations.join(place.storage, place.act(person.id), token, None, None)


async def test_a_link_is_no_way_to_try_whose_emails_are_known(place: Place) -> None:
    await place.person()
    token = await place.invitation()
    codes = []
    for _ in range(8):
        with pytest.raises(Refused) as caught:
            await place.newcomer(token)
        codes.append(caught.value.code)
    assert codes == ["email_taken"] * 6 + ["slow_down"] * 2


async def test_a_weak_password_leaves_the_invitation_open(place: Place) -> None:
    token = await place.invitation()
    newcomer = invitations.Newcomer("Ada Lovelace", EMAIL)
    with pytest.raises(Refused, match="password_weak"):
        await invitations.accept_with_password(
            place.services, place.storage, place.keyring, place.act(), token, newcomer, "lovelace1"
        )
    await place.newcomer(token)


async def test_without_email_the_link_is_given_to_whoever_invites(place: Place) -> None:
    person = await place.person()
    made = await invitations.invite(
        place.storage, place.keyring, None, place.act(person.id), SITE, Terms(), "new@example.org"
    )
    assert made.link is not None
    start = "https://groups.example.org/invitation#"
    assert made.link.startswith(start)
    await place.newcomer(made.link.removeprefix(start), "new@example.org")


async def test_a_facilitator_takes_back_only_invitations_to_their_group(place: Place) -> None:
    mine, other = await place.group(), await place.group()
    for terms in (
        Terms(other, "participant"),
        Terms(),
        Terms(mine, "participant"),
        Terms(mine, "facilitator"),  # also an administrator's
    ):
        await place.invitation(terms)
    async with place.storage.snapshot() as session:
        found = (await session.scalars(select(Invitation))).all()
    for each in found:
        if each.group_id == mine:
            await invitations.revoke(place.storage, place.act("f"), each.id, mine)
        else:
            with pytest.raises(Refused, match="not_found"):
                await invitations.revoke(place.storage, place.act("f"), each.id, mine)


async def test_the_first_administrator_is_made_by_a_link_while_there_is_none(place: Place) -> None:
    earlier = await invitations.create_first_administrator(place.storage, NOW)
    token = await invitations.create_first_administrator(place.storage, NOW)
    with pytest.raises(Refused, match="link_ended"):
        await place.newcomer(earlier)
    await place.newcomer(token)
    async with place.storage.snapshot() as session:
        account = (await session.scalars(select(Account))).one()
    assert account.is_administrator
    with pytest.raises(Refused, match="has_administrator"):
        await invitations.create_first_administrator(place.storage, NOW)


async def test_closing_ends_logins_factors_and_memberships(place: Place) -> None:
    group = await place.group()
    phone = Authenticator()
    account_id = await place.by_passkey(phone)
    token = await place.passkey_login(phone)
    invitation = await place.invitation(Terms(group, "participant"))
    await invitations.join(place.storage, place.act(account_id), invitation, "Robin", None)
    async with place.storage.transaction() as session:
        await accounts.close(session, place.act(account_id), account_id)
    assert await place.resolve(token, NOW) is None
    with pytest.raises(Refused, match="passkey_refused"):
        await place.passkey_login(phone)
    async with place.storage.snapshot() as session:
        membership = (await session.scalars(select(Membership))).one()
    assert membership.removed_at == NOW
    assert await place.audited("account.closed") == [(account_id, "done", account_id, {})]
    await place.newcomer(await place.invitation())  # with the same email


async def test_the_last_administrator_stays(place: Place) -> None:
    await place.newcomer(await invitations.create_first_administrator(place.storage, NOW))
    async with place.storage.snapshot() as session:
        first = (await session.scalars(select(Account.id))).one()
    async with place.storage.transaction() as session:
        with pytest.raises(Refused, match="last_administrator"):
            await accounts.close(session, place.act(first), first)
    await place.newcomer(await place.invitation(Terms(is_administrator=True)), "second@example.org")
    async with place.storage.transaction() as session:
        await accounts.close(session, place.act(first), first)


async def test_the_list_of_names_is_on_record(place: Place) -> None:
    people = sorted([(await place.person(f"p{n}@example.org")).id for n in range(3)])
    page = await directory.page(place.storage, place.keyring, place.act("admin"), None, 2)
    assert [each.account.id for each in page] == people[:2]
    assert page[0].legal_name == "Ada Lovelace"
    [(actor, _, _, detail)] = await place.audited("sealed.viewed")
    assert actor == "admin"
    assert detail["rows"] == people[:2]
    rest = await directory.page(place.storage, place.keyring, place.act("admin"), people[1], 2)
    assert [each.account.id for each in rest] == people[2:]
    own = await directory.particulars(place.storage, place.keyring, place.act("admin"), people[0])
    assert own.email is not None
    assert own.email.endswith("@example.org")
