"""The copy of WorkOS's roles."""

from alembic import op

from user_management.db import mirrored

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("roles", "slug")
    mirrored.index("roles", "slug")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("roles")
