"""The copy of WorkOS's sessions."""

from alembic import op

from user_management.db import mirrored

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("sessions", "user_id", "organization_id", "status", "expires_at")
    mirrored.index("sessions", "user_id", "organization_id", "status")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("sessions")
