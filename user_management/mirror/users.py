"""Users: the people of a WorkOS environment."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import column, exists, func, table
from sqlalchemy.orm import Mapped

from user_management.mirror.engine.resource import Filter, Listing, Mirrored, Resource, by, by_age, by_external_id
from user_management.mirror.engine.verbs import tombstone, touch, upsert


class UserRow(Mirrored):
    """A user as stored."""

    __tablename__ = "users"

    email: Mapped[str | None]
    external_id: Mapped[str | None]


by_age(UserRow)
by(UserRow, "email", func.lower(UserRow.email))
by_external_id(UserRow)


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

resource = Resource(
    name="users",
    object="user",
    row=UserRow,
    shape=User,
    listing=Listing(("user_management", "users")),
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
            lambda organization_id: exists().where(
                membership.c.user_id == UserRow.id,
                membership.c.organization_id == organization_id,
                membership.c.deleted_at.is_(None),
            ),
            example="org_01EHWNCE74X7JSDV0X3SZ3KJNY",
        ),
    ),
)
