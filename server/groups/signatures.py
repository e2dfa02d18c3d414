"""Signing a group's texts by typing one's name, and who has."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.viewing import view_sealed
from server.groups import documents, memberships, names
from server.groups.act import Act, on_record
from server.groups.persons import Person, rows_of
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.ids import new_id
from server.storage.keyring import KeyRing
from server.storage.models import Document, DocumentKind, Group, GroupRole, Membership, Signature
from server.storage.sealed import Place, seal

MAX_TYPED_NAME = 120

_OF_STAFF: frozenset[DocumentKind] = frozenset({"guidelines", "confidentiality"})
"""What facilitators and counselors sign, too. The others are between a clinic and those it
cares for."""


def must_sign(kind: DocumentKind, role: GroupRole) -> bool:
    """Whether someone in this role signs a text of this kind; guests are participants."""
    return role == "participant" or kind in _OF_STAFF


@dataclass(frozen=True, slots=True)
class ToRead:
    """A text as someone in a group has it before them.

    Args:
        document: its latest version.
        must_sign: whether they have to sign it, whether or not they did.
        signed_at: when they signed this version.
    """

    document: Document
    must_sign: bool
    signed_at: datetime | None


async def to_read(
    session: AsyncSession, group: Group, person: Person, role: GroupRole
) -> list[ToRead]:
    """The texts of a group, and which someone has signed."""
    latest = await documents.current(session, group)
    rows = await session.scalars(
        select(Signature).where(
            Signature.document_id.in_([document.id for document in latest.values()]),
            rows_of(Signature, person),
        )
    )
    signed = {row.document_id: row for row in rows}

    def signed_at(document: Document) -> datetime | None:
        row = signed.get(document.id)
        # A signature holds for what was shown then, not for a text put in its place.
        if row is None or not hmac.compare_digest(row.text_hash, document.text_hash):
            return None
        return row.signed_at

    return [
        ToRead(document, must_sign(kind, role), signed_at(document))
        for kind, document in latest.items()
    ]


async def unsigned(
    session: AsyncSession, group: Group, person: Person, role: GroupRole
) -> list[DocumentKind]:
    """The kinds of texts that someone has still to sign, in their latest version."""
    return [
        text.document.kind
        for text in await to_read(session, group, person, role)
        if text.must_sign and text.signed_at is None
    ]


async def sign(
    session: AsyncSession,
    keyring: KeyRing,
    act: Act,
    group: Group,
    person: Person,
    kind: DocumentKind,
    *,
    version: int,
    shown_hash: bytes,
    typed_name: str,
) -> Signature:
    """Sign a text.

    Args:
        session: of a transaction.
        keyring: seals the name.
        act: by the person themselves.
        group: whose text.
        person: who signs.
        kind: of which kind.
        version: that was shown.
        shown_hash: SHA-256 of the text that was shown.
        typed_name: as they typed it.

    Raises:
        Refused: ``empty_name``, ``bad_name``, ``not_found``, or ``changed`` if what was shown is
            not the latest version.
    """
    typed = " ".join(typed_name.split())
    if not names.has_letter(typed):
        raise Refused("empty_name", "Please type your name to sign.")
    if len(typed) > MAX_TYPED_NAME or not typed.isprintable():
        raise Refused("bad_name", f"A name can have up to {MAX_TYPED_NAME} visible characters.")
    document = await documents.find(session, group, kind)
    if document.version != version or not hmac.compare_digest(document.text_hash, shown_hash):
        raise Refused(
            "changed", "This text has changed in the meantime. Please read the new version.", 409
        )
    already = await session.scalar(
        select(Signature).where(Signature.document_id == document.id, rows_of(Signature, person))
    )
    if already is not None:
        return already
    row_id = new_id()
    row = Signature(
        id=row_id,
        document_id=document.id,
        account_id=person.account_id,
        guest_id=person.guest_id,
        typed_name=seal(keyring, Place.of(Signature.typed_name, row_id), typed),
        text_hash=document.text_hash,
        signed_at=act.now,
    )
    session.add(row)
    await session.flush()
    on_record(
        session,
        act,
        "document.signed",
        document.id,
        group.id,
        kind=kind,
        version=version,
        hash=document.text_hash.hex(),
    )
    return row


@dataclass(frozen=True, slots=True)
class SignedByMember:
    """What a member signed of one kind, last.

    Args:
        kind: of which kind.
        must_sign: whether their role has to.
        signed_at: when they signed the latest version.
        signed_version: the newest version that they signed, even if it is not the latest.
    """

    kind: DocumentKind
    must_sign: bool
    signed_at: datetime | None
    signed_version: int | None


async def who_signed(
    session: AsyncSession, group: Group
) -> list[tuple[Membership, list[SignedByMember]]]:
    """For facilitators: all members, and what each has signed."""
    latest = await documents.current(session, group)
    rows = await session.execute(
        select(Signature.account_id, Signature.signed_at, Document)
        .join(Document, Document.id == Signature.document_id)
        .where(Document.group_id == group.id, Signature.account_id.is_not(None))
        .order_by(Document.version)
    )
    newest: dict[tuple[str | None, DocumentKind], tuple[datetime, Document]] = {
        (account_id, document.kind): (signed_at, document)
        for account_id, signed_at, document in rows
    }

    def of(member: Membership, kind: DocumentKind) -> SignedByMember:
        signed_at, document = newest.get((member.account_id, kind), (None, None))
        is_latest = document is not None and document.id == latest[kind].id
        return SignedByMember(
            kind,
            must_sign(kind, member.role),
            signed_at if is_latest else None,
            None if document is None else document.version,
        )

    return [
        (member, [of(member, kind) for kind in latest])
        for member in await memberships.members(session, group.id)
    ]


@dataclass(frozen=True, slots=True)
class OpenedSignature:
    """A signature with the name that was typed."""

    kind: DocumentKind
    version: int
    typed_name: str
    signed_at: datetime
    text_hash: bytes


async def view_signatures(
    storage: Storage, keyring: KeyRing, act: Act, group_id: str, membership_id: str
) -> Sequence[OpenedSignature]:
    """For facilitators: all that a member signed in the group, opened, which is put on record.

    Raises:
        Refused: ``not_found``.
    """
    async with storage.snapshot() as session:
        member = await memberships.find(session, group_id, membership_id)
        found = (
            await session.execute(
                select(Signature, Document)
                .join(Document, Document.id == Signature.document_id)
                .where(Document.group_id == group_id, Signature.account_id == member.account_id)
                .order_by(Signature.signed_at, Signature.id)
            )
        ).all()
    opened = []
    for signature, document in found:
        values = await view_sealed(
            storage,
            keyring,
            [Signature.typed_name],
            signature.id,
            actor=act.actor,
            group_id=group_id,
            address=act.address,
        )
        name = None if values is None else values["typed_name"]
        opened.append(
            OpenedSignature(
                document.kind,
                document.version,
                name or "",
                signature.signed_at,
                signature.text_hash,
            )
        )
    return opened
