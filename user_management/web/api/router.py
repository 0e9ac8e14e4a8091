"""Every route of the API: those that follow from the resources, those that write, those that machines ask."""

from collections.abc import Iterable

from fastapi import APIRouter

from user_management.mirror.engine.resource import Resource
from user_management.web.api import (
    access,
    accounts,
    api_keys,
    auth,
    failures,
    feature_flags,
    group_memberships,
    groups,
    invitations,
    me,
    monitoring,
    organization_domains,
    organization_memberships,
    organization_roles,
    organizations,
    people,
    permissions,
    reads,
    roles,
    sessions,
    users,
    webhooks,
    why,
    writes,
)
from user_management.web.api.routes import Direct

DECLARED = (
    users, organizations, organization_domains, organization_memberships, invitations, sessions, roles,
    organization_roles, permissions, groups, group_memberships, api_keys, feature_flags, auth, accounts,
)  # fmt: skip
"""The modules that declare writes."""
WRITES = tuple(write for module in DECLARED for write in module.WRITES)
"""Every write there is."""


def install(router: APIRouter, resources: Iterable[Resource]) -> None:
    """Add every route."""
    router.route_class = Direct
    me.add(router)  # before the users, one of whom would be called `me`
    for resource in resources:
        reads.add(router, resource, people.expand if resource.name == "users" else None)
        why.add(router, resource)
    people.add(router)
    access.add(router)
    for write in WRITES:
        writes.add(router, write)
    webhooks.add(router)
    failures.add(router)
    monitoring.add(router)
