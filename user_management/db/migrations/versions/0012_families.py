"""Backfills of chosen resources, and objects that are to be read again."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    for name in ("also", "left_out"):
        op.add_column("backfills", sa.Column(name, sa.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.create_table(
        "rereads",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "id", name="pk_rereads"),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("rereads")
    for name in ("left_out", "also"):
        op.drop_column("backfills", name)
