"""Who may do what, asked of WorkOS itself: a user's active memberships, and the roles of an organization."""

from typing import Any

from user_management.services.workos import objects
from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import BadAnswer, ObjectNotFound, WorkOSUnavailable
from user_management.services.workos.events import envelope

MEMBERSHIPS = ("user_management", "organization_memberships")
USERS = ("user_management", "users")


async def memberships(workos: WorkOS, user_id: str, organization_id: str) -> list[dict[str, Any]]:
    """The user's active memberships of the organization; none where WorkOS knows either of them not."""
    asked = {"user_id": user_id, "organization_id": organization_id, "statuses": "active"}
    try:
        page = await objects.page(workos.at(Priority.READ), MEMBERSHIPS, after="", parameters=asked)
    except ObjectNotFound:
        return []
    except BadAnswer as error:
        raise WorkOSUnavailable(str(error)) from error
    # Whatever a list may hold beyond what it was asked for grants nothing.
    return [one for one in page.objects if all(one.get(key) == asked[key] for key in ("user_id", "organization_id"))]


async def roles(workos: WorkOS, organization_id: str) -> dict[tuple[str | None, str], dict[str, Any]]:
    """The roles that an organization may give, its own and the environment's, by whose they are and by slug."""
    try:
        answer = await workos.at(Priority.READ).request(
            "get", ("authorization", "organizations", organization_id, "roles")
        )
        listed = envelope(answer)
    except ObjectNotFound:
        return {}
    except BadAnswer as error:
        raise WorkOSUnavailable(str(error)) from error
    found = [one for one in listed if isinstance(one, dict) and isinstance(one.get("slug"), str)]
    return {(organization_id if one.get("type") == "OrganizationRole" else None, one["slug"]): one for one in found}


async def exists(workos: WorkOS, user_id: str) -> bool:
    """Whether there is a user."""
    try:
        return await objects.get(workos.at(Priority.READ), (*USERS, user_id)) is not None
    except BadAnswer as error:
        raise WorkOSUnavailable(str(error)) from error
