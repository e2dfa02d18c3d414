"""Accounts, and the ways to log in to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from server.storage.models.base import (
    AccountId,
    AuthorId,
    Base,
    GroupId,
    GroupRole,
    LinkPurpose,
    RowId,
)
from server.storage.sealed import SealedValue


class Account(Base):
    """A person who can log in. In groups their roles are those of memberships."""

    __tablename__ = "accounts"

    id: Mapped[RowId]
    legal_name: Mapped[SealedValue]
    email: Mapped[SealedValue | None]
    email_index: Mapped[bytes | None] = mapped_column(unique=True, info={"blind_index_of": "email"})
    """See `server.storage.blind_index`; null exactly where ``email`` is."""
    email_verified_at: Mapped[datetime | None]
    phone: Mapped[SealedValue | None]
    time_zone: Mapped[str | None]
    """IANA name; null until chosen."""
    is_administrator: Mapped[bool]
    is_facilitator: Mapped[bool] = mapped_column(server_default=false())
    """Whether an administrator lets them make groups of their own."""
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the person left or was let go; nobody can log in any more."""

    __table_args__ = (
        CheckConstraint("(email IS NULL) = (email_index IS NULL)", name="email_indexed"),
    )


class Passkey(Base):
    """A WebAuthn credential."""

    __tablename__ = "passkeys"

    id: Mapped[RowId]
    account_id: Mapped[AccountId]
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    """COSE_Key, as WebAuthn gives it."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[str]
    """With commas, such as ``internal,hybrid``; empty if unknown."""
    backed_up: Mapped[bool]
    label: Mapped[str]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class Password(Base):
    __tablename__ = "passwords"

    account_id: Mapped[RowId] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    hash: Mapped[str]
    """Argon2id, in PHC string format."""
    changed_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)
    """Failed logins in a row, for slowing down."""
    failed_at: Mapped[datetime | None]


class TotpSecret(Base):
    """The shared secret of an authenticator app (RFC 6238)."""

    __tablename__ = "totp_secrets"

    id: Mapped[RowId]
    account_id: Mapped[AccountId] = mapped_column(unique=True)
    secret: Mapped[SealedValue]
    """Base32."""
    last_step: Mapped[int | None]
    """The time step of the last code taken, so that none is taken twice."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """When the first right code was given; before that it does not count."""


class RecoveryCode(Base):
    __tablename__ = "recovery_codes"

    id: Mapped[RowId]
    account_id: Mapped[AccountId]
    code_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("account_id", "code_hash"),)


class Invitation(Base):
    """A single-use link by which a person makes an account, or joins a group with theirs."""

    __tablename__ = "invitations"

    id: Mapped[RowId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    email: Mapped[SealedValue | None]
    group_id: Mapped[GroupId | None]
    role: Mapped[GroupRole | None]
    """In the group; null exactly where there is no group."""
    is_administrator: Mapped[bool]
    is_facilitator: Mapped[bool] = mapped_column(server_default=false())
    """As in `Account`: that of the account which is made by it."""
    created_by: Mapped[AuthorId | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    used_by: Mapped[AuthorId | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (CheckConstraint("(group_id IS NULL) = (role IS NULL)", name="role_of_group"),)


class OneTimeLink(Base):
    """A link sent to someone with an account: to set a new password, or to prove their email."""

    __tablename__ = "one_time_links"

    id: Mapped[RowId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    account_id: Mapped[AccountId]
    purpose: Mapped[LinkPurpose]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class LoginSession(Base):
    """A browser that is logged in."""

    __tablename__ = "login_sessions"

    id: Mapped[RowId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    account_id: Mapped[AccountId]
    device_label: Mapped[str]
    """Browser and system, such as "Firefox on Android"; no version and no address."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(index=True)
    stepped_up_at: Mapped[datetime | None]
    """When the person last proved again who they are."""
    revoked_at: Mapped[datetime | None]


class CalendarFeed(Base):
    """A secret address of one person's iCalendar feed."""

    __tablename__ = "calendar_feeds"

    id: Mapped[RowId]
    account_id: Mapped[AccountId]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
