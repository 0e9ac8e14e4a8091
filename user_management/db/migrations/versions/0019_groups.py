"""The copy of WorkOS's groups."""

from alembic import op

from user_management.db import mirrored

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("groups", "organization_id")
    mirrored.index("groups", "organization_id")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("groups")
