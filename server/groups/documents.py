"""The texts that people sign: defaults for all groups, and each group's own versions.

A group gets its own copy of each default when it is made, with the names in place: so what is
signed is what was shown, byte by byte, and a signature counts for the one group it was given in. A
default that changes later changes no group's text; facilitators are told and can take it over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.record import SYSTEM
from server.groups.act import Act, on_record
from server.groups.templates import KINDS, checked, filled, load_templates, shipped_guidelines
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Document, DocumentKind, Group, ServerSetting

CLINIC_NAME = "clinic_name"
"""The setting of the server, a JSON string, that ``{{clinic}}`` stands for."""

_NO_NAME = "our practice"


def text_hash(text: str) -> bytes:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).digest()


async def clinic_name(session: AsyncSession) -> str:
    """What whoever runs this server is called in texts."""
    setting = await session.get(ServerSetting, CLINIC_NAME)
    value = None if setting is None else json.loads(setting.value)
    return value if isinstance(value, str) and value.strip() else _NO_NAME


def kinds_of(group: Group) -> tuple[DocumentKind, ...]:
    """The kinds of texts that a group has."""
    return tuple(kind for kind in KINDS if kind != "part2_notice" or group.substance_use)


async def _latest(session: AsyncSession, group_id: str | None) -> dict[DocumentKind, Document]:
    of_group = Document.group_id.is_(None) if group_id is None else Document.group_id == group_id
    rows = await session.scalars(select(Document).where(of_group, Document.superseded_at.is_(None)))
    return {row.kind: row for row in rows}


async def _add_version(
    session: AsyncSession,
    act: Act,
    kind: DocumentKind,
    group_id: str | None,
    text: str,
    before: Document | None,
) -> Document:
    if before is not None:
        before.superseded_at = act.now
    row = Document(
        id=new_id(),
        kind=kind,
        group_id=group_id,
        version=1 if before is None else before.version + 1,
        text=text,
        text_hash=text_hash(text),
        created_by=None if act.actor == SYSTEM else act.actor,
        created_at=act.now,
    )
    session.add(row)
    await session.flush()
    on_record(
        session,
        act,
        "document.changed",
        row.id,
        group_id,
        kind=kind,
        version=row.version,
        hash=row.text_hash.hex(),
    )
    return row


async def load_defaults(
    session: AsyncSession, act: Act, texts: Mapping[DocumentKind, str]
) -> Sequence[Document]:
    """Make new versions of the defaults that differ from what was loaded before.

    Args:
        session: of a transaction.
        act: at the server's start, by ``SYSTEM``.
        texts: from `load_templates`.

    Returns:
        the new versions.
    """
    latest = await _latest(session, None)
    return [
        await _add_version(session, act, kind, None, text, latest.get(kind))
        for kind, text in texts.items()
        if kind not in latest or latest[kind].text_hash != text_hash(text)
    ]


async def _defaults(session: AsyncSession, act: Act) -> dict[DocumentKind, Document]:
    defaults = await _latest(session, None)
    if len(defaults) < len(KINDS):
        shipped = load_templates(shipped_guidelines())
        missing = {kind: text for kind, text in shipped.items() if kind not in defaults}
        await load_defaults(session, Act(SYSTEM, act.now), missing)
        defaults = await _latest(session, None)
    return defaults


async def provide(session: AsyncSession, group: Group, act: Act) -> None:
    """Give a group its own copy of each default that it needs and does not have."""
    own = await _latest(session, group.id)
    missing = [kind for kind in kinds_of(group) if kind not in own]
    if not missing:
        return
    defaults = await _defaults(session, act)
    clinic = await clinic_name(session)
    for kind in missing:
        text = filled(defaults[kind].text, group=group.name, clinic=clinic)
        await _add_version(session, act, kind, group.id, text, None)


async def current(session: AsyncSession, group: Group) -> dict[DocumentKind, Document]:
    """The latest version of each text that a group has; by the order of kinds.

    Raises:
        Refused: ``no_documents`` if one is missing: then nobody can sign, and nobody enters.
    """
    own = await _latest(session, group.id)
    if any(kind not in own for kind in kinds_of(group)):
        raise Refused(
            "no_documents", "The agreements of this group are not there. Please tell us.", 503
        )
    return {kind: own[kind] for kind in kinds_of(group)}


def as_kind(text: str) -> DocumentKind:
    """The kind of this name.

    Raises:
        Refused: ``not_found``.
    """
    for kind in KINDS:
        if kind == text:
            return kind
    raise Refused("not_found", "There is no such text.", 404)


async def find(session: AsyncSession, group: Group, kind: DocumentKind) -> Document:
    """The latest version of one text.

    Raises:
        Refused: ``not_found`` if the group has none of this kind.
    """
    document = (await current(session, group)).get(kind)
    if document is None:
        raise Refused("not_found", "This group has no such text.", 404)
    return document


async def edit(
    session: AsyncSession, act: Act, group: Group, kind: DocumentKind, text: str, *, version: int
) -> Document:
    """Change a group's text: a new version, which everyone has to sign before they enter again.

    Args:
        session: of a transaction.
        act: by whom.
        group: whose text.
        kind: which.
        text: Markdown; placeholders are filled in now.
        version: the one that was edited.

    Raises:
        Refused: ``not_found``, ``bad_text``, or ``changed`` if there is a newer version.
    """
    before = await find(session, group, kind)
    if before.version != version:
        raise Refused("changed", "Someone else has changed this text. Please look again.", 409)
    new = filled(checked(text), group=group.name, clinic=await clinic_name(session))
    if text_hash(new) == before.text_hash:
        return before
    return await _add_version(session, act, kind, group.id, new, before)


async def take_default(
    session: AsyncSession, act: Act, group: Group, kind: DocumentKind
) -> Document:
    """Put the newest default in place of a group's text.

    Raises:
        Refused: ``not_found``.
    """
    before = await find(session, group, kind)
    default = (await _defaults(session, act))[kind]
    return await edit(session, act, group, kind, default.text, version=before.version)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A group's text, and whether the server's default has changed since it was made."""

    document: Document
    default_is_newer: bool


async def states(session: AsyncSession, group: Group) -> list[DocumentState]:
    """All texts of a group, for its facilitators."""
    defaults = await _latest(session, None)
    return [
        DocumentState(
            document, kind in defaults and defaults[kind].created_at > document.created_at
        )
        for kind, document in (await current(session, group)).items()
    ]
