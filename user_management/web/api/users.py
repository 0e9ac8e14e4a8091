"""Users are created at WorkOS; the copy shows them at once."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.users import resource
from user_management.services.workos import commands
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


create = Write(resource, UserCreate, commands.create_user)
