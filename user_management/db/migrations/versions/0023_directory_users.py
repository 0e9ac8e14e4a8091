"""The copy of WorkOS's directory users."""

from alembic import op

from user_management.db import mirrored

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("directory_users", "directory_id", "organization_id", "idp_id", "email")
    mirrored.index("directory_users", "directory_id", "organization_id", "idp_id", email="lower(email)")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("directory_users")
