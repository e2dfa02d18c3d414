"""What all tables share: names of constraints, and types by annotation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from sqlalchemy import DateTime, Dialect, Enum, ForeignKey, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

from server.storage.ids import ID_LENGTH
from server.storage.sealed import Sealed, SealedValue

GroupRole = Literal["participant", "facilitator", "counselor"]
DocumentKind = Literal["guidelines", "confidentiality", "telehealth_consent", "part2_notice"]
LinkPurpose = Literal["reset_password", "verify_email"]
Outcome = Literal["done", "refused", "failed"]

RowId = Annotated[str, mapped_column(String(ID_LENGTH), primary_key=True)]
"""Made by the caller with `new_id`, before anything is sealed for the row."""

AccountId = Annotated[
    str, mapped_column(String(ID_LENGTH), ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
]
"""Whose row this is: it goes with the account."""

AuthorId = Annotated[
    str,
    mapped_column(String(ID_LENGTH), ForeignKey("accounts.id", ondelete="SET NULL"), index=True),
]
"""Who did it: the row stays when the account goes."""

GroupId = Annotated[
    str, mapped_column(String(ID_LENGTH), ForeignKey("groups.id", ondelete="CASCADE"), index=True)
]

GuestId = Annotated[
    str, mapped_column(String(ID_LENGTH), ForeignKey("guests.id", ondelete="CASCADE"), index=True)
]


ONE_PERSON = "(account_id IS NULL) <> (guest_id IS NULL)"
"""The condition that a row is either someone's with an account or a guest's."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, in UTC, with microseconds; on both databases in and out with its time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - given by name
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _choice(name: str, literal: Any) -> Enum:
    return Enum(*get_args(literal), name=name, native_enum=False, create_constraint=True, length=32)


class Base(DeclarativeBase):
    """The tables of Holdspace."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy documents it
        str: Text(),
        bytes: LargeBinary(),
        datetime: UtcDateTime(),
        SealedValue: Sealed(),
        GroupRole: _choice("role", GroupRole),
        DocumentKind: _choice("kind", DocumentKind),
        LinkPurpose: _choice("purpose", LinkPurpose),
        Outcome: _choice("outcome", Outcome),
    }
