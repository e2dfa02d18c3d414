"""How sessions and texts look on the wire, for members, guests and who makes up a session alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from server.api.routes import Call, Model
from server.groups import absences, confirmations, documents, entry, opening, signatures
from server.groups.act import Act
from server.groups.persons import Person
from server.groups.schedule import Occurrence
from server.groups.standing import Kind, Standing
from server.groups.templates import TITLES
from server.refusals import Refused
from server.storage.keyring import KeyRing
from server.storage.models import DocumentKind, Group, GroupRole

_KEY = "%Y%m%dT%H%M%SZ"

LongText = Annotated[str, Field(max_length=300)]


def act_of(call: Call) -> Act:
    """The circumstances of a request by someone who is signed in."""
    return Act(call.who.id, call.now, call.address)


def session_key(starts_at: datetime) -> str:
    """A session's name in paths: its start in UTC, such as ``20270105T180000Z``."""
    return starts_at.astimezone(UTC).strftime(_KEY)


def read_session_key(text: str) -> datetime:
    """The start that a name stands for.

    Raises:
        Refused: ``no_session``.
    """
    try:
        starts_at = datetime.strptime(text, _KEY).replace(tzinfo=UTC)
        if 2000 <= starts_at.year <= 2200:
            return starts_at
    except ValueError:
        pass
    raise Refused("no_session", "There is no session of this group at this time.", 404)


def basic_local(rule_start: str) -> str:
    """A stored local time without what does not stand in paths well."""
    return rule_start.replace("-", "").replace(":", "")


def read_basic_local(text: str) -> str:
    """The opposite of `basic_local`.

    Raises:
        Refused: ``no_session``.
    """
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").isoformat()  # noqa: DTZ007 - local
    except ValueError:
        raise Refused(
            "no_session", "There is no session of this group at this time.", 404
        ) from None


class SessionView(Model):
    """A session as it is due."""

    group: str
    key: str
    starts_at: datetime
    ends_at: datetime
    schedule: str
    occurrence: str
    is_cancelled: bool
    is_moved: bool


def session_view(occurrence: Occurrence) -> SessionView:
    return SessionView(
        group=occurrence.group_id,
        key=session_key(occurrence.starts_at),
        starts_at=occurrence.starts_at,
        ends_at=occurrence.ends_at,
        schedule=occurrence.schedule_id,
        occurrence=basic_local(occurrence.rule_start),
        is_cancelled=occurrence.is_cancelled,
        is_moved=occurrence.is_moved,
    )


class RefusalView(Model):
    """What entering would be refused with now."""

    code: str
    message: str
    unsigned: list[DocumentKind]


class MakeUpView(Model):
    group: str
    key: str
    starts_at: datetime


class SessionPage(Model):
    """All that the page before a session needs to know."""

    group_id: str
    group_name: str
    time_zone: str
    """Of the group."""
    session: SessionView
    role: GroupRole
    kind: Kind
    display_name: str
    pronouns: str | None
    opens_at: datetime
    closes_at: datetime
    is_open: bool
    waits: bool
    """Whether a facilitator has to let them in from the waiting room."""
    unsigned: list[DocumentKind]
    must_confirm: bool
    is_confirmed: bool
    is_absent: bool
    absence_note: str | None
    """Their own, for the facilitators."""
    make_up: MakeUpView | None
    refusal: RefusalView | None


async def session_page(
    session: AsyncSession,
    keyring: KeyRing,
    group: Group,
    occurrence: Occurrence,
    stands: Standing,
    now: datetime,
) -> SessionPage:
    """The page of someone who belongs to a session."""
    starts_at, person, role = occurrence.starts_at, stands.person, stands.role
    refusal = None
    try:
        await entry.may_enter(session, group.id, starts_at, person, now)
    except Refused as refused:
        missing = refused.documents if isinstance(refused, entry.Unsigned) else ()
        refusal = RefusalView(code=refused.code, message=refused.message, unsigned=list(missing))
    absence = None
    if person.account_id is not None and stands.kind == "member":
        absence = await absences.find(session, group.id, starts_at, person.account_id)
    make_up = None
    if absence is not None and absence.make_up_group_id and absence.make_up_starts_at:
        make_up = MakeUpView(
            group=absence.make_up_group_id,
            key=session_key(absence.make_up_starts_at),
            starts_at=absence.make_up_starts_at,
        )
    return SessionPage(
        group_id=group.id,
        group_name=group.name,
        time_zone=group.time_zone,
        session=session_view(occurrence),
        role=role,
        kind=stands.kind,
        display_name=stands.display_name,
        pronouns=stands.pronouns,
        opens_at=opening.opens_at(starts_at, role),
        closes_at=opening.closes_at(occurrence.ends_at),
        is_open=opening.is_open(starts_at, occurrence.ends_at, role, now),
        waits=entry.waits(group, stands),
        unsigned=await signatures.unsigned(session, group, person, role),
        must_confirm=entry.must_confirm(role),
        is_confirmed=await confirmations.is_confirmed(session, group.id, starts_at, person, now),
        is_absent=absence is not None,
        absence_note=None if absence is None else absences.own_note(keyring, absence),
        make_up=make_up,
        refusal=refusal,
    )


class DocumentView(Model):
    """A text to read, and whether it is signed in this version."""

    kind: DocumentKind
    title: str
    version: int
    hash: str
    text: str
    created_at: datetime
    must_sign: bool
    signed_at: datetime | None


class DocumentList(Model):
    documents: list[DocumentView]


async def document_list(
    session: AsyncSession, group: Group, person: Person, role: GroupRole
) -> DocumentList:
    """The texts of a group as someone has them before them."""
    return DocumentList(
        documents=[
            DocumentView(
                kind=text.document.kind,
                title=TITLES[text.document.kind],
                version=text.document.version,
                hash=text.document.text_hash.hex(),
                text=text.document.text,
                created_at=text.document.created_at,
                must_sign=text.must_sign,
                signed_at=text.signed_at,
            )
            for text in await signatures.to_read(session, group, person, role)
        ]
    )


class SignatureBody(Model):
    """What someone signs, and the name that they typed."""

    version: int = Field(ge=1, le=1_000_000)
    hash: str = Field(pattern="^[0-9a-f]{64}$")
    typed_name: str = Field(max_length=200)


async def sign(call: Call, session: AsyncSession, act: Act, group: Group, person: Person) -> None:
    """Sign the text of the path's ``{kind}``."""
    body: SignatureBody = call.body
    await signatures.sign(
        session,
        call.services.keyring,
        act,
        group,
        person,
        documents.as_kind(call.path["kind"]),
        version=body.version,
        shown_hash=bytes.fromhex(body.hash),
        typed_name=body.typed_name,
    )


class ConfirmationBody(Model):
    """Where someone is, and whom to call."""

    location: LongText
    phone: Annotated[str, Field(max_length=40)]
    contact_name: Annotated[str, Field(max_length=120)]
    contact_phone: Annotated[str, Field(max_length=40)]
    is_private: bool


async def confirm(
    call: Call, session: AsyncSession, act: Act, occurrence: Occurrence, person: Person
) -> None:
    """Keep what someone confirmed."""
    body: ConfirmationBody = call.body
    given = confirmations.Confirmation(
        body.location, body.phone, body.contact_name, body.contact_phone, body.is_private
    )
    await confirmations.confirm(
        session,
        call.services.keyring,
        act,
        occurrence,
        person,
        given,
        keep_hours=call.services.settings.retention_entry_confirmation_hours,
    )
