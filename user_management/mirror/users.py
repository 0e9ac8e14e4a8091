"""Users: the people of a WorkOS environment."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnElement,
    Computed,
    Index,
    and_,
    column,
    exists,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from user_management.mirror.engine import search
from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age, by_external_id
from user_management.mirror.engine.verbs import tombstone, touch, upsert

FACTS = (
    f"CASE WHEN ({search.READABLE}) THEN ((((('{{\"email_verified\":'::text || "
    "COALESCE((body -> 'email_verified'::text)::text, 'null'::text)) || ',\"metadata\":'::text) || "
    "COALESCE((body -> 'metadata'::text)::text, 'null'::text)) || '}'::text))::jsonb ELSE NULL::jsonb END"
)
WORDS = search.words(
    f"(((\"left\"(COALESCE(email, ''::text), {search.LONGEST}) || ' '::text) || CASE WHEN ({search.READABLE}) THEN "
    "\"left\"(COALESCE((body ->> 'name'::text), ((COALESCE((body ->> 'first_name'::text), ''::text) || ' '::text) || "
    f"COALESCE((body ->> 'last_name'::text), ''::text))), {search.LONGEST}) ELSE ''::text END))"
)
REST = """split_part((body)::text, '"username":"'::text, 2)"""
USERNAME = f"""NULLIF(lower("left"(split_part({REST}, '"'::text, 1), 65)), ''::text)"""
"""The username in the metadata, in lower case; as PostgreSQL words it, which Alembic compares.

Cut out of the text, for PostgreSQL refuses to read a user whose name holds a NUL: nothing here can fail, it costs what
a search does, and an update that leaves it alone still touches no index.
"""


class UserRow(Mirrored):
    """A user as stored."""

    __tablename__ = "users"

    email: Mapped[str | None]
    external_id: Mapped[str | None]
    # Computed columns, not indexed expressions of the body: an update that leaves them as they are touches no index.
    facts: Mapped[Any] = mapped_column(JSONB, Computed(FACTS, persisted=True), nullable=True)
    words: Mapped[Any] = mapped_column(TSVECTOR, Computed(WORDS, persisted=True), nullable=True)
    username: Mapped[str | None] = mapped_column(Computed(USERNAME, persisted=True))


by_age(UserRow)
Index(
    "ix_users_username",
    UserRow.username,
    postgresql_where=and_(UserRow.username.is_not(None), UserRow.deleted_at.is_(None)),
)
by(UserRow, "email", func.lower(UserRow.email))
by_external_id(UserRow)
Index("ix_users_facts", UserRow.facts, postgresql_using="gin", postgresql_ops={"facts": "jsonb_path_ops"})
Index("ix_users_words", UserRow.words, postgresql_using="gin")


class User(BaseModel):
    """A user as served, in WorkOS's words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "user",
                    "id": "user_01E4ZCR3C56J083X43JQXF3JK5",
                    "email": "marcelina@example.com",
                    "email_verified": True,
                    "first_name": "Marcelina",
                    "last_name": "Davis",
                    "name": "Marcelina Davis",
                    "profile_picture_url": None,
                    "external_id": "customer-2311",
                    "metadata": {"timezone": "America/New_York"},
                    "last_sign_in_at": "2026-11-20T16:02:11.120Z",
                    "locale": "en-US",
                    "created_at": "2026-03-02T09:14:05.331Z",
                    "updated_at": "2026-11-18T12:40:59.004Z",
                }
            ]
        }
    )

    object: Literal["user"]
    id: str
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None
    name: str | None = None
    profile_picture_url: str | None
    external_id: str | None
    metadata: dict[str, str] = {}
    last_sign_in_at: AwareDatetime | None
    locale: str | None = None
    created_at: AwareDatetime
    updated_at: AwareDatetime


membership = table("organization_memberships", column("user_id"), column("organization_id"), column("deleted_at"))


def fact(name: str, value: BindParameter[Any]) -> ColumnElement[Any]:
    """A fact as its column holds it."""
    return func.jsonb_build_object(literal_column(f"'{name}'"), value)


def belonging(organization_id: BindParameter[str]) -> tuple[ColumnElement[bool], ...]:
    """That a membership is the user's, of an organization, and not deleted."""
    mine, its = membership.c.user_id == UserRow.id, membership.c.organization_id == organization_id
    return mine, its, membership.c.deleted_at.is_(None)


resource = Resource(
    name="users",
    object="user",
    row=UserRow,
    shape=User,
    listing=Listing(("user_management", "users"), essential=True),
    has_external_id=True,
    events={
        "user.created": upsert,
        "user.updated": upsert,
        "user.deleted": tombstone,
        # A sign-in moves neither `updated_at` nor emits `user.updated`; the session it opens is all that tells of it.
        "session.created": touch("last_sign_in_at", of="user_id", at="created_at"),
    },
    rising=frozenset({"last_sign_in_at"}),
    filters=(
        Filter(
            "email",
            "Only users with this e-mail address, upper or lower case.",
            lambda email: func.lower(UserRow.email) == func.lower(email),
            example="marcelina@example.com",
        ),
        Filter(
            "organization_id",
            "Only users with a membership of this organization, whatever its status.",
            lambda organization_id: exists().where(*belonging(organization_id)),
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
            sparse=True,
            # PostgreSQL would hash the members of an organization of any size to test a few; a scalar it looks up.
            at_hand=lambda organization_id: (
                select(true())
                .where(*belonging(organization_id))
                .limit(literal_column("1"))
                .scalar_subquery()
                .is_not(None)
            ),
        ),
        Filter(
            "email_verified",
            "Only users whose e-mail address is verified, or only those whose is not.",
            lambda verified: UserRow.facts.contains(fact("email_verified", verified)),
            type=bool,
            example=True,
            sql_type=Boolean(),
            sparse=True,
        ),
        Filter(
            "metadata",
            "Only users with these metadata: `metadata[key]=value`, once for each key.",
            lambda metadata: UserRow.facts.contains(fact("metadata", metadata)),
            type=dict[str, str],
            example={"timezone": "America/New_York"},
            sql_type=JSONB(),
            sparse=True,
        ),
        search.searched(
            UserRow.words,
            "Only users in whose name or e-mail address there are all these words, or words that begin so; upper or "
            "lower case. Punctuation parts words, so an address is found by its parts too.",
            "marcel dav",
        ),
    ),
)
