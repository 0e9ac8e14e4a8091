"""Erasures: whom the copy must not know any more."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "erasures",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_erasures"),
    )
    op.create_table(
        "erasure_key",
        sa.Column("id", sa.Integer(), server_default="1", nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_erasure_key_only_one"),
        sa.PrimaryKeyConstraint("id", name="pk_erasure_key"),
    )
    # 244 random bits, from what every PostgreSQL brings along.
    op.execute(
        "INSERT INTO erasure_key (key) SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid(), 'UTF8'))"
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for table in ("erasure_key", "erasures"):
        op.drop_table(table)
