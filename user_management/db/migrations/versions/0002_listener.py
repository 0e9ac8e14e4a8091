"""The listener: who is at work, and how far backfills have come."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_lease_only_one"),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
    )
    op.create_table(
        "backfills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("phase", sa.Text(), server_default="listing", nullable=False),
        sa.Column("unfinished", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("start_position", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.Text(), server_default="", nullable=False),
        sa.Column("partition", sa.Text(), server_default="", nullable=False),
        sa.Column("after", sa.Text(), server_default="", nullable=False),
        sa.Column("listed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("absent", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_backfills"),
    )
    op.create_index(
        "uq_backfills_unfinished", "backfills", ["unfinished"], unique=True, postgresql_where=sa.text("unfinished")
    )
    op.create_table(
        "backfill_seen",
        sa.Column("backfill_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("backfill_id", "resource", "id", name="pk_backfill_seen"),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for table in ("backfill_seen", "backfills", "lease"):
        op.drop_table(table)
