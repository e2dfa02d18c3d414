"""Routes about groups and who is in them; `ROUTES` has those of all files about groups."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from server.api import (
    routes_groups_absences,
    routes_groups_attendance,
    routes_groups_documents,
    routes_groups_guest_links,
    routes_groups_schedule,
    routes_groups_sessions,
    routes_groups_visitors,
)
from server.api.group_session_page import SessionView, act_of, session_view
from server.api.routes import PREFIX, Call, Id, Model, Route
from server.groups import bans, contacts, groups, memberships, schedule, signatures
from server.groups.persons import Person
from server.groups.standing import person_named
from server.refusals import Refused
from server.storage.models import DocumentKind, GroupRole

ChosenName = Annotated[str, Field(max_length=80)]
ChosenPronouns = Annotated[str, Field(max_length=60)] | None


class SettingsBody(Model):
    """What is set of a group."""

    name: Annotated[str, Field(min_length=1, max_length=groups.MAX_NAME)]
    purpose: Annotated[str, Field(max_length=groups.MAX_PURPOSE)]
    formats: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64, pattern="^[^,]+$")]],
        Field(min_length=1, max_length=16),
    ]
    capacity: int = Field(ge=2, le=16)
    guests_allowed: bool
    opens_without_facilitator: bool
    substance_use: bool
    make_ups_allowed: bool
    time_zone: Annotated[str, Field(min_length=1, max_length=64)]


class CreateBody(Model):
    """A new group, and the name by which it knows whoever makes it."""

    settings: SettingsBody
    display_name: ChosenName
    pronouns: ChosenPronouns


class CreatedId(Model):
    id: str


class MyGroup(Model):
    id: str
    name: str
    role: GroupRole
    display_name: str
    is_closed: bool
    next: SessionView | None
    unsigned: list[DocumentKind]


class MyGroups(Model):
    groups: list[MyGroup]


class Me(Model):
    id: str
    role: GroupRole
    display_name: str
    pronouns: str | None


class FacilitatorView(Model):
    display_name: str
    pronouns: str | None


class GroupView(Model):
    id: str
    settings: SettingsBody
    is_closed: bool
    me: Me
    facilitators: list[FacilitatorView]


class GroupCountView(Model):
    id: str
    name: str
    created_at: datetime
    is_closed: bool
    members: int
    facilitators: int


class GroupCounts(Model):
    groups: list[GroupCountView]


class MemberView(Model):
    """All that participants learn of each other."""

    id: str
    display_name: str
    pronouns: str | None
    role: GroupRole
    is_me: bool


class Members(Model):
    members: list[MemberView]


class PresentBody(Model):
    """By which name and pronouns one wants to be called."""

    display_name: ChosenName
    pronouns: ChosenPronouns


class RoleBody(Model):
    role: GroupRole


class ContactsView(Model):
    legal_name: str
    email: str | None
    phone: str | None


class BanBody(Model):
    """Whom to keep out; until when, or for good; and whether they stop being a member."""

    person: Id
    until: datetime | None
    remove: bool


class BanView(Model):
    id: str
    display_name: str
    until: datetime | None
    created_at: datetime


class Bans(Model):
    bans: list[BanView]


def _settings(body: SettingsBody) -> groups.GroupSettings:
    return groups.GroupSettings(**{**body.model_dump(), "formats": tuple(body.formats)})


async def _my_groups(call: Call) -> MyGroups:
    async with call.services.storage.snapshot() as session:
        mine = []
        for member, group in await memberships.of_account(session, call.who.id):
            closed = group.closed_at is not None
            following = None
            if not closed:
                following = await schedule.next_occurrence(session, group.id, call.now)
            mine.append(
                MyGroup(
                    id=group.id,
                    name=group.name,
                    role=member.role,
                    display_name=member.display_name,
                    is_closed=closed,
                    next=None if following is None else session_view(following),
                    unsigned=[]
                    if closed
                    else await signatures.unsigned(
                        session, group, Person(call.who.id), member.role
                    ),
                )
            )
    return MyGroups(groups=mine)


async def _create(call: Call) -> CreatedId:
    body: CreateBody = call.body
    async with call.services.storage.transaction() as session:
        group = await groups.create_group(
            session,
            act_of(call),
            _settings(body.settings),
            known_formats=call.services.formats.names(),
            facilitator_name=body.display_name,
            facilitator_pronouns=body.pronouns,
        )
    return CreatedId(id=group.id)


async def _group(call: Call) -> GroupView:
    async with call.services.storage.snapshot() as session:
        group = await groups.find_group(session, call.within.id)
        settings = groups.settings_of(group)
        people = await memberships.members(session, group.id)
    me = next((one for one in people if one.account_id == call.who.id), None)
    if me is None:
        raise Refused("not_found", "There is no such thing here.", 404)
    return GroupView(
        id=group.id,
        settings=SettingsBody(
            name=settings.name,
            purpose=settings.purpose,
            formats=list(settings.formats),
            capacity=settings.capacity,
            guests_allowed=settings.guests_allowed,
            opens_without_facilitator=settings.opens_without_facilitator,
            substance_use=settings.substance_use,
            make_ups_allowed=settings.make_ups_allowed,
            time_zone=settings.time_zone,
        ),
        is_closed=group.closed_at is not None,
        me=Me(id=me.id, role=me.role, display_name=me.display_name, pronouns=me.pronouns),
        facilitators=[
            FacilitatorView(display_name=one.display_name, pronouns=one.pronouns)
            for one in people
            if one.role == "facilitator"
        ],
    )


async def _change(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await groups.change_group(
            session,
            act_of(call),
            call.within.id,
            _settings(call.body),
            known_formats=call.services.formats.names(),
        )


async def _close(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await groups.close_group(session, act_of(call), call.path["group"])


async def _all_groups(call: Call) -> GroupCounts:
    async with call.services.storage.snapshot() as session:
        found = await groups.all_groups(session)
    return GroupCounts(
        groups=[
            GroupCountView(
                id=one.group.id,
                name=one.group.name,
                created_at=one.group.created_at,
                is_closed=one.group.closed_at is not None,
                members=one.members,
                facilitators=one.facilitators,
            )
            for one in found
        ]
    )


async def _members(call: Call) -> Members:
    async with call.services.storage.snapshot() as session:
        people = await memberships.members(session, call.within.id)
    return Members(
        members=[
            MemberView(
                id=one.id,
                display_name=one.display_name,
                pronouns=one.pronouns,
                role=one.role,
                is_me=one.account_id == call.who.id,
            )
            for one in people
        ]
    )


async def _present_as(call: Call) -> None:
    body: PresentBody = call.body
    async with call.services.storage.transaction() as session:
        member = await memberships.find(session, call.within.id, call.within.membership_id)
        await memberships.present_as(
            session, act_of(call), member, name=body.display_name, pronouns=body.pronouns
        )


async def _leave(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await memberships.remove(session, act_of(call), call.within.id, call.within.membership_id)


async def _set_role(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await memberships.set_role(
            session, act_of(call), call.within.id, call.path["membership"], call.body.role
        )


async def _remove(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await memberships.remove(session, act_of(call), call.within.id, call.path["membership"])


async def _contacts(call: Call) -> ContactsView:
    seen = await contacts.view_contacts(
        call.services.storage,
        call.services.keyring,
        act_of(call),
        call.within.id,
        call.path["membership"],
    )
    return ContactsView(legal_name=seen.legal_name, email=seen.email, phone=seen.phone)


async def _bans(call: Call) -> Bans:
    async with call.services.storage.snapshot() as session:
        found = await bans.bans(session, call.within.id, call.now)
    return Bans(
        bans=[
            BanView(
                id=one.ban.id,
                display_name=one.display_name,
                until=one.ban.until,
                created_at=one.ban.created_at,
            )
            for one in found
        ]
    )


async def _ban(call: Call) -> CreatedId:
    body: BanBody = call.body
    if body.until is not None and body.until.tzinfo is None:
        raise Refused("bad_time", "The time needs its time zone.")
    async with call.services.storage.transaction() as session:
        person = await person_named(session, call.within.id, body.person)
        if person is None:
            raise Refused("not_found", "This person is not in the group.", 404)
        row = await bans.ban(session, act_of(call), call.within.id, person, body.until)
        if body.remove and person.account_id is not None:
            member = await memberships.current(session, call.within.id, person.account_id)
            if member is not None:
                await memberships.remove(session, act_of(call), call.within.id, member.id)
    return CreatedId(id=row.id)


async def _lift(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        await bans.lift(session, act_of(call), call.within.id, call.path["ban"])


_GROUPS = f"{PREFIX}/groups"
_GROUP = f"{_GROUPS}/{{group}}"
_MEMBER = f"{_GROUP}/members/{{membership}}"

ROUTES = [
    Route(
        "GET",
        _GROUPS,
        _my_groups,
        "signed_in",
        "The groups that one is in.",
        reply=MyGroups,
    ),
    Route(
        "POST",
        _GROUPS,
        _create,
        "signed_in",
        "Make a group; for facilitators of this server, and of some group.",
        body=CreateBody,
        reply=CreatedId,
        status=201,
    ),
    Route("GET", _GROUP, _group, "member", "A group.", reply=GroupView),
    Route("PUT", _GROUP, _change, "facilitator", "Set a group's settings.", body=SettingsBody),
    Route(
        "POST",
        f"{_GROUP}/close",
        _close,
        "facilitator",
        "End a group.",
        step_up=True,
    ),
    Route(
        "GET",
        f"{PREFIX}/administration/groups",
        _all_groups,
        "administrator",
        "All groups of this server, from outside.",
        reply=GroupCounts,
    ),
    Route(
        "POST",
        f"{PREFIX}/administration/groups/{{group}}/close",
        _close,
        "administrator",
        "End a group, as an administrator.",
        step_up=True,
    ),
    Route(
        "GET",
        f"{_GROUP}/members",
        _members,
        "member",
        "Who is in the group, by chosen name.",
        reply=Members,
    ),
    Route(
        "PUT",
        f"{_GROUP}/me",
        _present_as,
        "member",
        "Choose the name and pronouns that the group knows one by.",
        body=PresentBody,
    ),
    Route("DELETE", f"{_GROUP}/me", _leave, "member", "Leave the group."),
    Route(
        "PUT",
        f"{_MEMBER}/role",
        _set_role,
        "facilitator",
        "Change a member's role.",
        body=RoleBody,
        step_up=True,
    ),
    Route("DELETE", _MEMBER, _remove, "facilitator", "Remove a member from the group."),
    Route(
        "GET",
        f"{_MEMBER}/contacts",
        _contacts,
        "facilitator",
        "The legal name and contacts of a member.",
        reply=ContactsView,
        step_up=True,
    ),
    Route(
        "GET",
        f"{_GROUP}/bans",
        _bans,
        "facilitator",
        "Who is kept out of the group.",
        reply=Bans,
    ),
    Route(
        "POST",
        f"{_GROUP}/bans",
        _ban,
        "facilitator",
        "Keep someone out of the group, for a time or for good.",
        body=BanBody,
        reply=CreatedId,
        status=201,
    ),
    Route(
        "DELETE",
        f"{_GROUP}/bans/{{ban}}",
        _lift,
        "facilitator",
        "Let someone in again.",
    ),
    *routes_groups_schedule.ROUTES,
    *routes_groups_sessions.ROUTES,
    *routes_groups_absences.ROUTES,
    *routes_groups_guest_links.ROUTES,
    *routes_groups_attendance.ROUTES,
    *routes_groups_documents.ROUTES,
    *routes_groups_visitors.ROUTES,
]
