"""Users are found by their words, facts and usernames: columns that PostgreSQL computes, all in one rewrite."""

import string

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

READABLE = r"(strpos((body)::text, '\u'::text) = 0) OR ((body)::text !~ '\\u(0000|[dD][89a-fA-F])'::text)"
PARTING = string.punctuation.replace("'", "''") + "\t\r\n"
SPACES = " " * 35


def words(text: str) -> str:
    """The words of a text."""
    return (
        f"array_to_tsvector(array_remove(string_to_array(lower(translate({text}, '{PARTING}'::text, "
        f"'{SPACES}'::text)), ' '::text), ''::text))"
    )


FACTS = (
    f"CASE WHEN ({READABLE}) THEN ((((('{{\"email_verified\":'::text || "
    "COALESCE((body -> 'email_verified'::text)::text, 'null'::text)) || ',\"metadata\":'::text) || "
    "COALESCE((body -> 'metadata'::text)::text, 'null'::text)) || '}'::text))::jsonb ELSE NULL::jsonb END"
)
WORDS = words(
    f"(((\"left\"(COALESCE(email, ''::text), 300) || ' '::text) || CASE WHEN ({READABLE}) THEN "
    "\"left\"(COALESCE((body ->> 'name'::text), ((COALESCE((body ->> 'first_name'::text), ''::text) || ' '::text) || "
    "COALESCE((body ->> 'last_name'::text), ''::text))), 300) ELSE ''::text END))"
)


REST = """split_part((body)::text, '"username":"'::text, 2)"""
USERNAME = f"""NULLIF(lower("left"(split_part({REST}, '"'::text, 1), 65)), ''::text)"""


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    # One statement: each that adds a computed column writes the whole table anew, and nobody reads meanwhile.
    op.execute(
        f"ALTER TABLE users ADD COLUMN facts jsonb GENERATED ALWAYS AS ({FACTS}) STORED, "
        f"ADD COLUMN words tsvector GENERATED ALWAYS AS ({WORDS}) STORED, "
        f"ADD COLUMN username text GENERATED ALWAYS AS ({USERNAME}) STORED"
    )
    op.create_index(
        "ix_users_facts", "users", ["facts"], postgresql_using="gin", postgresql_ops={"facts": "jsonb_path_ops"}
    )
    op.create_index("ix_users_words", "users", ["words"], postgresql_using="gin")
    op.create_index(
        "ix_users_username",
        "users",
        ["username"],
        postgresql_where=sa.text("username IS NOT NULL AND deleted_at IS NULL"),
    )


def downgrade() -> None:
    """Take the schema back to the revision before."""
    for column in ("username", "words", "facts"):
        op.drop_index(f"ix_users_{column}", "users")
        op.drop_column("users", column)
