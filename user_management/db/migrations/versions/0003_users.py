"""Users."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index(
        "ix_users_live",
        "users",
        ["created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_users_email", "users", [sa.literal_column("lower(email)"), "created_at", "id"])
    op.create_index(
        "ix_users_external_id",
        "users",
        ["external_id"],
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index("ix_users_created_at", "users", ["created_at", "id"])


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("users")
