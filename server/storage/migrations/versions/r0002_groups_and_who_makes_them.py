"""What a group is stands in its row; and administrators say who may make groups."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GROUPS = sa.table(
    "groups",
    sa.column("id", sa.String),
    sa.column("purpose", sa.Text),
    sa.column("make_ups_allowed", sa.Boolean),
    sa.column("time_zone", sa.Text),
)
SETTINGS = sa.table("server_settings", sa.column("key", sa.Text), sa.column("value", sa.Text))
PREFIX = "group."
"""Of the setting that had of a group what its row did not, as JSON."""


def upgrade() -> None:
    for table in ("accounts", "invitations"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(
                sa.Column("is_facilitator", sa.Boolean(), nullable=False, server_default=sa.false())
            )
    with op.batch_alter_table("groups") as batch:
        batch.add_column(sa.Column("purpose", sa.Text(), nullable=False, server_default=""))
        batch.add_column(
            sa.Column("make_ups_allowed", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch.add_column(sa.Column("time_zone", sa.Text(), nullable=False, server_default="UTC"))
    _move_settings()


def _move_settings() -> None:
    connection = op.get_bind()
    of_groups = SETTINGS.c.key.startswith(PREFIX)
    for key, value in connection.execute(sa.select(SETTINGS).where(of_groups)).all():
        kept = json.loads(value)
        connection.execute(
            sa.update(GROUPS)
            .where(GROUPS.c.id == key.removeprefix(PREFIX))
            .values(
                purpose=kept.get("purpose", ""),
                make_ups_allowed=kept.get("make_ups_allowed", False),
                time_zone=kept.get("time_zone", "UTC"),
            )
        )
    connection.execute(sa.delete(SETTINGS).where(of_groups))
