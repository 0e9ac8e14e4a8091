"""Every route of the API: those that follow from the resources, those that write, those that machines ask."""

from collections.abc import Iterable

from fastapi import APIRouter

from user_management.mirror.engine.resource import Resource
from user_management.web.api import failures, monitoring, reads, users, webhooks, why, writes
from user_management.web.api.routes import Direct

WRITES = (users.create,)
"""Every write there is."""


def install(router: APIRouter, resources: Iterable[Resource]) -> None:
    """Add every route."""
    router.route_class = Direct
    for resource in resources:
        reads.add(router, resource)
        why.add(router, resource)
    for write in WRITES:
        writes.add(router, write)
    webhooks.add(router)
    failures.add(router)
    monitoring.add(router)
