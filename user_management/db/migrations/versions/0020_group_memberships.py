"""The copy of WorkOS's group memberships."""

from alembic import op

from user_management.db import mirrored

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("group_memberships", "group_id", "organization_membership_id")
    mirrored.index("group_memberships", "group_id", "organization_membership_id")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("group_memberships")
