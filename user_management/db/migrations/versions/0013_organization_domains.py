"""The copy of WorkOS's organization domains."""

from alembic import op

from user_management.db import mirrored

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("organization_domains", "organization_id", "domain", "state")
    mirrored.index("organization_domains", "organization_id", "domain", "state")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("organization_domains")
