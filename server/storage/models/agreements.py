"""Guidelines and agreements, and who signed them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from server.storage.ids import ID_LENGTH
from server.storage.models.base import (
    ONE_PERSON,
    AccountId,
    AuthorId,
    Base,
    DocumentKind,
    GroupId,
    GuestId,
    RowId,
)
from server.storage.sealed import SealedValue


class Document(Base):
    """One version of a text to read and sign. A change makes a new version."""

    __tablename__ = "documents"

    id: Mapped[RowId]
    kind: Mapped[DocumentKind]
    group_id: Mapped[GroupId | None]
    """Null: the text of all groups that have none of their own."""
    version: Mapped[int]
    """Counts from 1, for each kind and group."""
    text: Mapped[str]
    """Markdown."""
    text_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of the text in UTF-8."""
    created_by: Mapped[AuthorId | None]
    created_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    """When the next version came."""

    __table_args__ = (
        Index(
            "uq_documents_of_group",
            "group_id",
            "kind",
            "version",
            unique=True,
            sqlite_where=sql("group_id IS NOT NULL"),
            postgresql_where=sql("group_id IS NOT NULL"),
        ),
        Index(
            "uq_documents_of_all",
            "kind",
            "version",
            unique=True,
            sqlite_where=sql("group_id IS NULL"),
            postgresql_where=sql("group_id IS NULL"),
        ),
    )


class Signature(Base):
    """Someone read a document and signed it by typing their name."""

    __tablename__ = "signatures"

    id: Mapped[RowId]
    document_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("documents.id", ondelete="CASCADE")
    )
    account_id: Mapped[AccountId | None]
    guest_id: Mapped[GuestId | None]
    typed_name: Mapped[SealedValue]
    text_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    """SHA-256 of what was shown, so that it proves itself even without the document."""
    signed_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint(ONE_PERSON, name="one_person"),
        UniqueConstraint("document_id", "account_id"),
        UniqueConstraint("document_id", "guest_id"),
    )
