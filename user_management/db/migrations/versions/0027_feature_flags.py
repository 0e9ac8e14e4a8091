"""The copy of WorkOS's feature flags."""

from alembic import op

from user_management.db import mirrored

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    mirrored.create("feature_flags", "slug")
    mirrored.index("feature_flags", "slug")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("feature_flags")
