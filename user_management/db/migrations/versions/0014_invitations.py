"""The copy of WorkOS's invitations."""

from alembic import op

from user_management.db import mirrored

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create(
        "invitations", "email", "organization_id", "state", "expires_at", "inviter_user_id", "accepted_user_id"
    )
    mirrored.index(
        "invitations", "organization_id", "state", "inviter_user_id", "accepted_user_id", email="lower(email)"
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("invitations")
