"""The copy of WorkOS's directory groups."""

from alembic import op

from user_management.db import mirrored

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("directory_groups", "directory_id")
    mirrored.index("directory_groups", "directory_id")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("directory_groups")
