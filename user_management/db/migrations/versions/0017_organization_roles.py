"""The copy of WorkOS's organization roles."""

from alembic import op

from user_management.db import mirrored

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("organization_roles", "organization_id", "slug")
    mirrored.index("organization_roles", "organization_id", "slug")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("organization_roles")
