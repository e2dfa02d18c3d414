"""Routes about the texts that people in a group read and sign."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from server.api.group_session_page import (
    DocumentList,
    SignatureBody,
    act_of,
    document_list,
    sign,
)
from server.api.routes import PREFIX, Call, Model, Route
from server.groups import documents, signatures
from server.groups.groups import find_group
from server.groups.persons import Person
from server.groups.templates import MAX_CHARACTERS
from server.storage.models import DocumentKind, GroupRole


class EditBody(Model):
    """A new text in Markdown, and the version that was edited."""

    text: str = Field(min_length=1, max_length=MAX_CHARACTERS)
    version: int = Field(ge=1, le=1_000_000)


class VersionView(Model):
    version: int


class DocumentStateView(Model):
    kind: DocumentKind
    version: int
    default_is_newer: bool


class SignedView(Model):
    kind: DocumentKind
    must_sign: bool
    signed_at: datetime | None
    signed_version: int | None


class MemberSigned(Model):
    id: str
    display_name: str
    role: GroupRole
    documents: list[SignedView]


class SignatureStatus(Model):
    documents: list[DocumentStateView]
    members: list[MemberSigned]


class OpenedSignatureView(Model):
    kind: DocumentKind
    version: int
    typed_name: str
    signed_at: datetime
    hash: str


class OpenedSignatures(Model):
    signatures: list[OpenedSignatureView]


async def _documents(call: Call) -> DocumentList:
    async with call.services.storage.snapshot() as session:
        group = await find_group(session, call.within.id)
        return await document_list(session, group, Person(call.who.id), call.within.role)


async def _edit(call: Call) -> VersionView:
    body: EditBody = call.body
    async with call.services.storage.transaction() as session:
        group = await find_group(session, call.within.id, open_only=True)
        kind = documents.as_kind(call.path["kind"])
        row = await documents.edit(
            session, act_of(call), group, kind, body.text, version=body.version
        )
    return VersionView(version=row.version)


async def _take_default(call: Call) -> VersionView:
    async with call.services.storage.transaction() as session:
        group = await find_group(session, call.within.id, open_only=True)
        kind = documents.as_kind(call.path["kind"])
        row = await documents.take_default(session, act_of(call), group, kind)
    return VersionView(version=row.version)


async def _sign(call: Call) -> None:
    async with call.services.storage.transaction() as session:
        group = await find_group(session, call.within.id, open_only=True)
        await sign(call, session, act_of(call), group, Person(call.who.id))


async def _status(call: Call) -> SignatureStatus:
    async with call.services.storage.snapshot() as session:
        group = await find_group(session, call.within.id)
        states = await documents.states(session, group)
        signed = await signatures.who_signed(session, group)
    return SignatureStatus(
        documents=[
            DocumentStateView(
                kind=state.document.kind,
                version=state.document.version,
                default_is_newer=state.default_is_newer,
            )
            for state in states
        ],
        members=[
            MemberSigned(
                id=member.id,
                display_name=member.display_name,
                role=member.role,
                documents=[
                    SignedView(
                        kind=one.kind,
                        must_sign=one.must_sign,
                        signed_at=one.signed_at,
                        signed_version=one.signed_version,
                    )
                    for one in theirs
                ],
            )
            for member, theirs in signed
        ],
    )


async def _opened(call: Call) -> OpenedSignatures:
    found = await signatures.view_signatures(
        call.services.storage,
        call.services.keyring,
        act_of(call),
        call.within.id,
        call.path["membership"],
    )
    return OpenedSignatures(
        signatures=[
            OpenedSignatureView(
                kind=one.kind,
                version=one.version,
                typed_name=one.typed_name,
                signed_at=one.signed_at,
                hash=one.text_hash.hex(),
            )
            for one in found
        ]
    )


_GROUP = f"{PREFIX}/groups/{{group}}"
_DOCUMENT = f"{_GROUP}/documents/{{kind}}"

ROUTES = [
    Route(
        "GET",
        f"{_GROUP}/documents",
        _documents,
        "member",
        "The texts of the group, and which of them one has signed.",
        reply=DocumentList,
    ),
    Route(
        "PUT",
        _DOCUMENT,
        _edit,
        "facilitator",
        "Change a text; everyone has to sign it again.",
        body=EditBody,
        reply=VersionView,
        step_up=True,
    ),
    Route(
        "POST",
        f"{_DOCUMENT}/default",
        _take_default,
        "facilitator",
        "Put the server's newest default in place of a text.",
        reply=VersionView,
        step_up=True,
    ),
    Route(
        "POST",
        f"{_DOCUMENT}/signature",
        _sign,
        "member",
        "Sign a text.",
        body=SignatureBody,
    ),
    Route(
        "GET",
        f"{_GROUP}/signatures",
        _status,
        "facilitator",
        "Who has signed what.",
        reply=SignatureStatus,
    ),
    Route(
        "GET",
        f"{_GROUP}/members/{{membership}}/signatures",
        _opened,
        "facilitator",
        "What a member signed, with the names that they typed.",
        reply=OpenedSignatures,
        step_up=True,
    ),
]
