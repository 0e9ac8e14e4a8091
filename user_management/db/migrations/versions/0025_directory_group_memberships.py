"""The copy of WorkOS's directory group memberships."""

from alembic import op

from user_management.db import mirrored

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("directory_group_memberships", "directory_id", "directory_group_id", "directory_user_id")
    mirrored.index("directory_group_memberships", "directory_id", "directory_group_id", "directory_user_id")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("directory_group_memberships")
