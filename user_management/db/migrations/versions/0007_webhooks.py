"""What webhooks told before the feed did: when, and the rows as they are without it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.add_column("journal", sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_journal_webhook", "journal", ["position"], postgresql_where=sa.text("lane = 'webhook'"))
    op.create_table(
        "provisional",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("existed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("columns", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("body", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("resource", "id", name="pk_provisional"),
    )


def downgrade() -> None:
    """Take the schema back to the revision before; what only webhooks told is forgotten, the feed brings it."""
    op.execute("DELETE FROM journal WHERE lane = 'webhook'")
    op.drop_table("provisional")
    op.drop_index("ix_journal_webhook", "journal")
    op.drop_column("journal", "announced_at")
