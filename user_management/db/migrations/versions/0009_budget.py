"""The shared budget of requests to WorkOS, and whether a backfill's deletions were capped."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "budget",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tokens", sa.Double(), server_default="0", nullable=False),
        sa.Column("refilled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pace", sa.Double(), server_default="1", nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slowed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("minute_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("minute", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("minute_before", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("id = 1", name="ck_budget_only_one"),
        sa.PrimaryKeyConstraint("id", name="pk_budget"),
    )
    op.add_column(
        "backfills", sa.Column("deletions_capped", sa.Boolean(), server_default="false", nullable=False)
    )  # fmt: skip


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_column("backfills", "deletions_capped")
    op.drop_table("budget")
