"""The copy of WorkOS's api keys."""

from alembic import op

from user_management.db import mirrored

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("api_keys", "organization_id", "user_id")
    mirrored.index("api_keys", "organization_id", "user_id")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("api_keys")
