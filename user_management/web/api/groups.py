"""Groups are made, changed and removed at WorkOS, and who is in them; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.groups import resource
from user_management.services.workos.commands import groups
from user_management.web.api.writes import Write


class GroupCreate(BaseModel):
    """A group to be, without members yet."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"name": "Engines", "description": None}]})

    name: str = Field(min_length=1)
    description: str | None = None


class GroupUpdate(BaseModel):
    """What is to change of a group."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"name": "Looms"}]})

    name: str | None = None
    description: str | None = Field(None, description="Null takes it away.")


ALL = "/api/organizations/{organization_id}/groups"
ONE = f"{ALL}/{{id}}"

WRITES = (
    Write(resource, GroupCreate, groups.create, ALL),
    Write(resource, GroupUpdate, groups.update, ONE, "update"),
    Write(resource, None, groups.delete, ONE, "delete"),
)
