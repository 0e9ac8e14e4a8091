"""The copy of WorkOS's directories."""

from alembic import op

from user_management.db import mirrored

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("directories", "organization_id")
    mirrored.index("directories", "organization_id")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("directories")
