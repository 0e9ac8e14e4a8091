"""Memberships are created, changed, paused and deleted at WorkOS; the copy shows it at once."""

from pydantic import BaseModel, ConfigDict, Field

from user_management.mirror.organization_memberships import resource
from user_management.services.workos.commands import organization_memberships
from user_management.web.api.writes import Write

ONE, SEVERAL = "One role; not together with `role_slugs`.", "Several roles, where the environment allows them."


class OrganizationMembershipCreate(BaseModel):
    """A membership to be: who joins what, in which role."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user_01E4ZCR3C56J083X43JQXF3JK5",
                    "organization_id": "org_01EHWNCE74X7JSDV0X3SZ3KJNY",
                    "role_slug": "member",
                }
            ]
        },
    )

    user_id: str = Field(min_length=1)
    organization_id: str = Field(min_length=1)
    role_slug: str | None = Field(None, description=ONE)
    role_slugs: list[str] | None = Field(None, description=SEVERAL)


class OrganizationMembershipUpdate(BaseModel):
    """What is to change of a membership: its roles."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"role_slug": "admin"}]})

    role_slug: str | None = Field(None, description=ONE)
    role_slugs: list[str] | None = Field(None, description=SEVERAL)


OF = "/{id}"
SAME = "The same as `PUT`."
DEACTIVATED = "The user is no member any more, and the sessions there end; the roles are kept for when it is one again."
REACTIVATED = "A member again, in the roles it had."

WRITES = (
    Write(
        resource, OrganizationMembershipCreate, organization_memberships.create,
        told="An inactive membership of the two is made active again, with these roles.",
    ),
    Write(resource, OrganizationMembershipUpdate, organization_memberships.update, OF, "update"),
    Write(
        resource, OrganizationMembershipUpdate, organization_memberships.update, OF, "update", method="PATCH", told=SAME
    ),
    Write(resource, None, organization_memberships.delete, OF, "delete"),
    *(
        Write(resource, None, command, f"{OF}/{verb}", verb, method=method, told=told)
        for method in ("POST", "")
        for verb, command, told in (
            ("deactivate", organization_memberships.deactivate, DEACTIVATED),
            ("reactivate", organization_memberships.reactivate, REACTIVATED),
        )
    ),
)  # fmt: skip
