"""The copy of WorkOS's connections."""

from alembic import op

from user_management.db import mirrored

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("connections", "organization_id", "connection_type")
    mirrored.index("connections", "organization_id", "connection_type")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("connections")
