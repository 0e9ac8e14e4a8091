"""What is folded otherwise since: the listener folds these from the journal again, when it next starts."""

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.execute(
        "UPDATE checkpoints SET position = 0 "
        "WHERE name IN ('organizations', 'group_memberships', 'directory_group_memberships')"
    )


def downgrade() -> None:
    """Take the schema back to the revision before: a table folded once more is the same table."""
