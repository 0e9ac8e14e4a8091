"""The copy of WorkOS's permissions."""

from alembic import op

from user_management.db import mirrored

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("permissions", "slug")
    mirrored.index("permissions", "slug")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("permissions")
