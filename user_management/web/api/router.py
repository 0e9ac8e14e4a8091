"""Every route of the API: those that follow from the resources, those that write, those that machines ask."""

from collections.abc import Iterable

from fastapi import APIRouter

from user_management.mirror.engine.resource import Resource
from user_management.web.api import monitoring, reads, users, webhooks
from user_management.web.api.routes import Direct


def install(router: APIRouter, resources: Iterable[Resource]) -> None:
    """Add every route."""
    router.route_class = Direct
    for resource in resources:
        reads.add(router, resource)
    users.add(router)
    webhooks.add(router)
    monitoring.add(router)
