"""The ledger of writes: what callers asked for under an `Idempotency-Key`, and what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "writes",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_writes"),
    )
    op.create_index("ix_writes_began_at", "writes", ["began_at"])
    op.create_index("ix_writes_object_id", "writes", ["object_id"], postgresql_where=sa.text("object_id IS NOT NULL"))


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("writes")
