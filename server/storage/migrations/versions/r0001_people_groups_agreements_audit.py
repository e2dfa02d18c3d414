"""The first tables: people, groups, agreements, and the audit with what guards it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

# Events are added, never changed. They are deleted only up to where a checkpoint in the chain says
# so. And the head of the chain only moves forward.
SQLITE_GUARDS = [
    """
    CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
    BEGIN SELECT RAISE(ABORT, 'audit events never change'); END
    """,
    """
    CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
    WHEN OLD.sequence > (SELECT pruned_through FROM audit_head)
    BEGIN SELECT RAISE(ABORT, 'audit events are not deleted'); END
    """,
    # INSERT OR REPLACE would replace an event without the two triggers above.
    """
    CREATE TRIGGER audit_events_no_replace BEFORE INSERT ON audit_events
    WHEN EXISTS (SELECT 1 FROM audit_events WHERE sequence = NEW.sequence)
    BEGIN SELECT RAISE(ABORT, 'audit events never change'); END
    """,
    """
    CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
    WHEN NEW.sequence < OLD.sequence OR NEW.pruned_through < OLD.pruned_through
    BEGIN SELECT RAISE(ABORT, 'the audit only moves forward'); END
    """,
    """
    CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
    BEGIN SELECT RAISE(ABORT, 'the audit only moves forward'); END
    """,
    """
    CREATE TRIGGER audit_head_no_replace BEFORE INSERT ON audit_head
    WHEN EXISTS (SELECT 1 FROM audit_head)
    BEGIN SELECT RAISE(ABORT, 'the audit only moves forward'); END
    """,
]
POSTGRESQL_GUARDS = [
    """
    CREATE FUNCTION audit_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.sequence <= (SELECT pruned_through FROM audit_head) THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'audit events are not deleted';
        END IF;
        RAISE EXCEPTION 'audit events never change';
    END $$
    """,
    """
    CREATE TRIGGER audit_events_guard BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_guard()
    """,
    """
    CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_guard()
    """,
    """
    CREATE FUNCTION audit_head_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.sequence >= OLD.sequence AND NEW.pruned_through >= OLD.pruned_through THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'the audit only moves forward';
    END $$
    """,
    """
    CREATE TRIGGER audit_head_guard BEFORE UPDATE OR DELETE ON audit_head
    FOR EACH ROW EXECUTE FUNCTION audit_head_guard()
    """,
    """
    CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_head_guard()
    """,
]


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("legal_name", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("email_index", sa.LargeBinary(), nullable=True),
        sa.Column("email_verified_at", MOMENT, nullable=True),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("is_administrator", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(email IS NULL) = (email_index IS NULL)", name=op.f("ck_accounts_email_indexed")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("email_index", name=op.f("uq_accounts_email_index")),
    )
    op.create_index(op.f("ix_accounts_closed_at"), "accounts", ["closed_at"], unique=False)
    op.create_table(
        "audit_events",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("group_id", sa.Text(), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "done",
                "refused",
                "failed",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_group", "audit_events", ["group_id", "sequence"], unique=False)
    op.create_index("ix_audit_events_time", "audit_events", ["time"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("pruned_through", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("formats", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("guests_allowed", sa.Boolean(), nullable=False),
        sa.Column("opens_without_facilitator", sa.Boolean(), nullable=False),
        sa.Column("substance_use", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.CheckConstraint("capacity BETWEEN 2 AND 16", name=op.f("ck_groups_capacity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
    )
    op.create_table(
        "absences",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("session_starts_at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("make_up_group_id", sa.String(length=22), nullable=True),
        sa.Column("make_up_starts_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_absences_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_absences_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["make_up_group_id"],
            ["groups.id"],
            name=op.f("fk_absences_make_up_group_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absences")),
        sa.UniqueConstraint(
            "group_id",
            "session_starts_at",
            "account_id",
            name=op.f("uq_absences_group_id_session_starts_at_account_id"),
        ),
    )
    op.create_index(op.f("ix_absences_account_id"), "absences", ["account_id"], unique=False)
    op.create_index(op.f("ix_absences_group_id"), "absences", ["group_id"], unique=False)
    op.create_index(
        op.f("ix_absences_make_up_group_id"), "absences", ["make_up_group_id"], unique=False
    )
    op.create_index(
        op.f("ix_absences_session_starts_at"), "absences", ["session_starts_at"], unique=False
    )
    op.create_table(
        "break_glass_grants",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_break_glass_grants_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["groups.id"],
            name=op.f("fk_break_glass_grants_group_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass_grants")),
    )
    op.create_index(
        op.f("ix_break_glass_grants_account_id"), "break_glass_grants", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_break_glass_grants_expires_at"), "break_glass_grants", ["expires_at"], unique=False
    )
    op.create_index(
        op.f("ix_break_glass_grants_group_id"), "break_glass_grants", ["group_id"], unique=False
    )
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_calendar_feeds_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feeds")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_feeds_token_hash")),
    )
    op.create_index(
        op.f("ix_calendar_feeds_account_id"), "calendar_feeds", ["account_id"], unique=False
    )
    op.create_table(
        "documents",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "guidelines",
                "confidentiality",
                "telehealth_consent",
                "part2_notice",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("group_id", sa.String(length=22), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_by", sa.String(length=22), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("superseded_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["accounts.id"],
            name=op.f("fk_documents_created_by"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_documents_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
    )
    op.create_index(op.f("ix_documents_created_by"), "documents", ["created_by"], unique=False)
    op.create_index(op.f("ix_documents_group_id"), "documents", ["group_id"], unique=False)
    op.create_index(
        "uq_documents_of_all",
        "documents",
        ["kind", "version"],
        unique=True,
        sqlite_where=sa.text("group_id IS NULL"),
        postgresql_where=sa.text("group_id IS NULL"),
    )
    op.create_index(
        "uq_documents_of_group",
        "documents",
        ["group_id", "kind", "version"],
        unique=True,
        sqlite_where=sa.text("group_id IS NOT NULL"),
        postgresql_where=sa.text("group_id IS NOT NULL"),
    )
    op.create_table(
        "guest_links",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("session_starts_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.String(length=22), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["accounts.id"],
            name=op.f("fk_guest_links_created_by"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_guest_links_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guest_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_guest_links_token_hash")),
    )
    op.create_index(op.f("ix_guest_links_created_by"), "guest_links", ["created_by"], unique=False)
    op.create_index(op.f("ix_guest_links_expires_at"), "guest_links", ["expires_at"], unique=False)
    op.create_index(op.f("ix_guest_links_group_id"), "guest_links", ["group_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=True),
        sa.Column("group_id", sa.String(length=22), nullable=True),
        sa.Column(
            "role",
            sa.Enum(
                "participant",
                "facilitator",
                "counselor",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("is_administrator", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=22), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.Column("used_by", sa.String(length=22), nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(group_id IS NULL) = (role IS NULL)", name=op.f("ck_invitations_role_of_group")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"],
            ["accounts.id"],
            name=op.f("fk_invitations_created_by"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_invitations_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["used_by"], ["accounts.id"], name=op.f("fk_invitations_used_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(op.f("ix_invitations_created_by"), "invitations", ["created_by"], unique=False)
    op.create_index(op.f("ix_invitations_expires_at"), "invitations", ["expires_at"], unique=False)
    op.create_index(op.f("ix_invitations_group_id"), "invitations", ["group_id"], unique=False)
    op.create_index(op.f("ix_invitations_used_by"), "invitations", ["used_by"], unique=False)
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("device_label", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("stepped_up_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_login_sessions_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_login_sessions_token_hash")),
    )
    op.create_index(
        op.f("ix_login_sessions_account_id"), "login_sessions", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_login_sessions_last_seen_at"), "login_sessions", ["last_seen_at"], unique=False
    )
    op.create_table(
        "memberships",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "participant",
                "facilitator",
                "counselor",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("pronouns", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_memberships_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_memberships_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_account_id"), "memberships", ["account_id"], unique=False)
    op.create_index(op.f("ix_memberships_group_id"), "memberships", ["group_id"], unique=False)
    op.create_index(op.f("ix_memberships_removed_at"), "memberships", ["removed_at"], unique=False)
    op.create_index(
        "uq_memberships_current",
        "memberships",
        ["account_id", "group_id"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "one_time_links",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "reset_password",
                "verify_email",
                name="purpose",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_one_time_links_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_one_time_links_token_hash")),
    )
    op.create_index(
        op.f("ix_one_time_links_account_id"), "one_time_links", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_one_time_links_expires_at"), "one_time_links", ["expires_at"], unique=False
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.Text(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_passkeys_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    op.create_index(op.f("ix_passkeys_account_id"), "passkeys", ["account_id"], unique=False)
    op.create_table(
        "passwords",
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_passwords_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_passwords")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_recovery_codes_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint(
            "account_id", "code_hash", name=op.f("uq_recovery_codes_account_id_code_hash")
        ),
    )
    op.create_index(
        op.f("ix_recovery_codes_account_id"), "recovery_codes", ["account_id"], unique=False
    )
    op.create_table(
        "reminders",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("session_starts_at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_reminders_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_reminders_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminders")),
        sa.UniqueConstraint(
            "group_id",
            "session_starts_at",
            "account_id",
            name=op.f("uq_reminders_group_id_session_starts_at_account_id"),
        ),
    )
    op.create_index(op.f("ix_reminders_account_id"), "reminders", ["account_id"], unique=False)
    op.create_index(op.f("ix_reminders_group_id"), "reminders", ["group_id"], unique=False)
    op.create_index(
        op.f("ix_reminders_session_starts_at"), "reminders", ["session_starts_at"], unique=False
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("starts_at", sa.String(length=19), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("recurrence", sa.Text(), nullable=True),
        sa.Column("duration_minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "duration_minutes BETWEEN 1 AND 1440", name=op.f("ck_schedules_duration")
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_schedules_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index(op.f("ix_schedules_group_id"), "schedules", ["group_id"], unique=False)
    op.create_table(
        "server_settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.String(length=22), nullable=True),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by"],
            ["accounts.id"],
            name=op.f("fk_server_settings_changed_by"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_server_settings")),
    )
    op.create_index(
        op.f("ix_server_settings_changed_by"), "server_settings", ["changed_by"], unique=False
    )
    op.create_table(
        "totp_secrets",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_totp_secrets_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_totp_secrets")),
    )
    op.create_index(op.f("ix_totp_secrets_account_id"), "totp_secrets", ["account_id"], unique=True)
    op.create_table(
        "guests",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("guest_link_id", sa.String(length=22), nullable=True),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("session_starts_at", MOMENT, nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("pronouns", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_guests_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["guest_link_id"],
            ["guest_links.id"],
            name=op.f("fk_guests_guest_link_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guests")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_guests_token_hash")),
    )
    op.create_index(op.f("ix_guests_created_at"), "guests", ["created_at"], unique=False)
    op.create_index(op.f("ix_guests_group_id"), "guests", ["group_id"], unique=False)
    op.create_index(op.f("ix_guests_guest_link_id"), "guests", ["guest_link_id"], unique=False)
    op.create_table(
        "schedule_exceptions",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("schedule_id", sa.String(length=22), nullable=False),
        sa.Column("occurrence", sa.String(length=19), nullable=False),
        sa.Column("moved_to", sa.String(length=19), nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_schedule_exceptions_schedule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_exceptions")),
        sa.UniqueConstraint(
            "schedule_id", "occurrence", name=op.f("uq_schedule_exceptions_schedule_id_occurrence")
        ),
    )
    op.create_table(
        "attendance",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("session_starts_at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=True),
        sa.Column("guest_id", sa.String(length=22), nullable=True),
        sa.Column("joined_at", MOMENT, nullable=False),
        sa.Column("left_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (guest_id IS NULL)", name=op.f("ck_attendance_one_person")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_attendance_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_attendance_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["guest_id"], ["guests.id"], name=op.f("fk_attendance_guest_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance")),
    )
    op.create_index(op.f("ix_attendance_account_id"), "attendance", ["account_id"], unique=False)
    op.create_index(op.f("ix_attendance_group_id"), "attendance", ["group_id"], unique=False)
    op.create_index(op.f("ix_attendance_guest_id"), "attendance", ["guest_id"], unique=False)
    op.create_index(op.f("ix_attendance_joined_at"), "attendance", ["joined_at"], unique=False)
    op.create_index(
        "ix_attendance_session", "attendance", ["group_id", "session_starts_at"], unique=False
    )
    op.create_table(
        "bans",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=True),
        sa.Column("guest_id", sa.String(length=22), nullable=True),
        sa.Column("until", MOMENT, nullable=True),
        sa.Column("created_by", sa.String(length=22), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (guest_id IS NULL)", name=op.f("ck_bans_one_person")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_bans_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["accounts.id"], name=op.f("fk_bans_created_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_bans_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["guest_id"], ["guests.id"], name=op.f("fk_bans_guest_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bans")),
    )
    op.create_index(op.f("ix_bans_account_id"), "bans", ["account_id"], unique=False)
    op.create_index(op.f("ix_bans_created_by"), "bans", ["created_by"], unique=False)
    op.create_index(op.f("ix_bans_group_id"), "bans", ["group_id"], unique=False)
    op.create_index(op.f("ix_bans_guest_id"), "bans", ["guest_id"], unique=False)
    op.create_index(op.f("ix_bans_until"), "bans", ["until"], unique=False)
    op.create_table(
        "entry_confirmations",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("group_id", sa.String(length=22), nullable=False),
        sa.Column("session_starts_at", MOMENT, nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=True),
        sa.Column("guest_id", sa.String(length=22), nullable=True),
        sa.Column("location", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("emergency_contact", sa.LargeBinary(), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (guest_id IS NULL)",
            name=op.f("ck_entry_confirmations_one_person"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_entry_confirmations_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["groups.id"],
            name=op.f("fk_entry_confirmations_group_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["guest_id"],
            ["guests.id"],
            name=op.f("fk_entry_confirmations_guest_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry_confirmations")),
        sa.UniqueConstraint(
            "group_id",
            "session_starts_at",
            "account_id",
            name=op.f("uq_entry_confirmations_group_id_session_starts_at_account_id"),
        ),
        sa.UniqueConstraint(
            "group_id",
            "session_starts_at",
            "guest_id",
            name=op.f("uq_entry_confirmations_group_id_session_starts_at_guest_id"),
        ),
    )
    op.create_index(
        op.f("ix_entry_confirmations_account_id"),
        "entry_confirmations",
        ["account_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_entry_confirmations_expires_at"),
        "entry_confirmations",
        ["expires_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_entry_confirmations_group_id"), "entry_confirmations", ["group_id"], unique=False
    )
    op.create_index(
        op.f("ix_entry_confirmations_guest_id"), "entry_confirmations", ["guest_id"], unique=False
    )
    op.create_table(
        "signatures",
        sa.Column("id", sa.String(length=22), nullable=False),
        sa.Column("document_id", sa.String(length=22), nullable=False),
        sa.Column("account_id", sa.String(length=22), nullable=True),
        sa.Column("guest_id", sa.String(length=22), nullable=True),
        sa.Column("typed_name", sa.LargeBinary(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signed_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (guest_id IS NULL)", name=op.f("ck_signatures_one_person")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_signatures_account_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_signatures_document_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["guest_id"], ["guests.id"], name=op.f("fk_signatures_guest_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
        sa.UniqueConstraint(
            "document_id", "account_id", name=op.f("uq_signatures_document_id_account_id")
        ),
        sa.UniqueConstraint(
            "document_id", "guest_id", name=op.f("uq_signatures_document_id_guest_id")
        ),
    )
    op.create_index(op.f("ix_signatures_account_id"), "signatures", ["account_id"], unique=False)
    op.create_index(op.f("ix_signatures_guest_id"), "signatures", ["guest_id"], unique=False)
    op.execute(
        sa.text(
            "INSERT INTO audit_head (id, sequence, hash, pruned_through) VALUES (1, 0, :hash, 0)"
        ).bindparams(hash="0" * 64)
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_GUARDS if is_sqlite else POSTGRESQL_GUARDS:
        op.get_bind().exec_driver_sql(statement)
