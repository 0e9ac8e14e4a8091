"""Verifications: what was held against WorkOS, when, and what was found."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    create_verifications()
    create_verified()
    create_findings()


def create_verifications() -> None:
    """The runs."""
    op.create_table(
        "verifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("resources", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("head_before", sa.BigInteger(), nullable=False),
        sa.Column("head_after", sa.BigInteger(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), server_default="", nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reached_id", sa.Text(), server_default="", nullable=False),
        sa.Column("steps", sa.Integer(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_verifications"),
    )
    op.create_index(
        "uq_verifications_unfinished", "verifications", ["kind"], unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )  # fmt: skip


def create_verified() -> None:
    """The pages they compared."""
    op.create_table(
        "verified",
        sa.Column("verification_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("partition", sa.Text(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("from_id", sa.Text(), nullable=False),
        sa.Column("upto_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("upto_id", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("verification_id", "step", name="pk_verified"),
    )
    op.create_index("ix_verified_resource_partition_upto_at_upto_id", "verified",
                    ["resource", "partition", "upto_at", "upto_id"])  # fmt: skip


def create_findings() -> None:
    """What they found."""
    op.create_table(
        "findings",
        sa.Column("verification_id", sa.BigInteger(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("keys", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("repair", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("verification_id", "resource", "object_id", name="pk_findings"),
    )
    op.create_index("ix_findings_resource_object_id", "findings", ["resource", "object_id"])


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for table in ("findings", "verified", "verifications"):
        op.drop_table(table)
