"""Users are created, changed and deleted at WorkOS; the copy shows it at once."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.users import resource
from user_management.services.workos.commands import users
from user_management.web import problems, usernames
from user_management.web.api.writes import Write


class UserCreate(BaseModel):
    """A user to be. What WorkOS demands beyond an e-mail address, WorkOS checks."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "email": "marcelina@example.com",
                    "first_name": "Marcelina",
                    "last_name": "Davis",
                    "external_id": "customer-2311",
                    "metadata": {"timezone": "America/New_York"},
                }
            ]
        },
    )

    email: str = Field(min_length=1, description="Unique in the WorkOS environment; WorkOS stores it in lower case.")
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    email_verified: bool | None = None
    external_id: str | None = Field(None, description="Your own id of the user; unique in the environment.")
    metadata: dict[str, Any] | None = None
    password: str | None = Field(None, description="Never logged and never stored here.")
    password_hash: str | None = None
    password_hash_type: str | None = None


class UserUpdate(BaseModel):
    """What is to change of a user. What is left out stays; null takes away what can be taken away."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"first_name": "Marcelina", "last_name": None, "metadata": {"timezone": "Europe/Berlin"}}]
        },
    )

    email: str | None = Field(None, description="A new address is not verified.")
    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    email_verified: bool | None = None
    external_id: str | None = Field(None, description="Your own id of the user; null takes it away.")
    metadata: dict[str, Any] | None = Field(
        None, description="Merged key by key: null takes a key away, and `{}` takes all."
    )
    locale: str | None = None
    password: str | None = Field(None, description="Never logged and never stored here.")
    password_hash: str | None = None
    password_hash_type: str | None = None


NAMED: Any = {"checks": usernames.wanted, "around": usernames.reserved, "fails": (problems.USERNAME_TAKEN,)}

WRITES = (
    Write(resource, UserCreate, users.create, **NAMED),
    Write(resource, UserUpdate, users.update, "/{id}", "update", **NAMED),
    Write(resource, UserUpdate, users.update, "/{id}", "update", method="PATCH", told="The same as `PUT`.", **NAMED),
    Write(resource, None, users.delete, "/{id}", "delete", told="For good: nothing brings a user back."),
)
