"""Commands: what we ask WorkOS to do for a caller. Sent once: WorkOS does not deduplicate, so nothing here retries."""

from collections.abc import Mapping
from typing import Any

from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import WorkOS
from user_management.services.workos.errors import OutcomeUnknown


async def create_user(workos: WorkOS, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The user WorkOS created; `OutcomeUnknown` when the answer does not tell."""
    return created(await workos.at(Priority.WRITE).request("post", ("user_management", "users"), body=fields))


def created(answer: dict[str, Any]) -> dict[str, Any]:
    """The object a write replied; a 2xx without one leaves open what was done."""
    if not isinstance(answer.get("id"), str):
        raise OutcomeUnknown("WorkOS accepted the request but its answer could not be read")
    return answer
