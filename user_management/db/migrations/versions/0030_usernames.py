"""Usernames that somebody is about to have; those that users have are found since 0028."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "usernames",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_usernames"),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("usernames")
