"""Organization memberships."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.create_table(
        "organization_memberships",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_organization_memberships"),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index(
        "ix_organization_memberships_live",
        "organization_memberships",
        ["created_at", "id"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_organization_memberships_user_id", "organization_memberships", ["user_id", "created_at", "id"])
    op.create_index(
        "ix_organization_memberships_organization_id",
        "organization_memberships",
        ["organization_id", "created_at", "id"],
    )
    op.create_index("ix_organization_memberships_created_at", "organization_memberships", ["created_at", "id"])


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_table("organization_memberships")
