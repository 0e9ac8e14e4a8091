"""Organizations are found by the words of their names and domains, in a column that PostgreSQL computes."""

import string

from alembic import op

revision = "0029"
down_revision = "0028"

READABLE = r"(strpos((body)::text, '\u'::text) = 0) OR ((body)::text !~ '\\u(0000|[dD][89a-fA-F])'::text)"
PARTING = string.punctuation.replace("'", "''") + "\t\r\n"
SPACES = " " * 35


def words(text: str) -> str:
    """The words of a text."""
    return (
        f"array_to_tsvector(array_remove(string_to_array(lower(translate({text}, '{PARTING}'::text, "
        f"'{SPACES}'::text)), ' '::text), ''::text))"
    )


WORDS = words(
    f"((\"left\"(COALESCE(name, ''::text), 300) || ' '::text) || CASE WHEN ({READABLE}) THEN "
    '"left"((jsonb_path_query_array((body)::jsonb, \'$."domains"[*]."domain"\'::jsonpath))::text, 500) '
    "ELSE ''::text END)"
)


def upgrade() -> None:
    """Bring the schema here from the revision before."""
    op.execute(f"ALTER TABLE organizations ADD COLUMN words tsvector GENERATED ALWAYS AS ({WORDS}) STORED")
    op.create_index("ix_organizations_words", "organizations", ["words"], postgresql_using="gin")


def downgrade() -> None:
    """Take the schema back to the revision before."""
    op.drop_index("ix_organizations_words", "organizations")
    op.drop_column("organizations", "words")
