"""The catalog: every resource there is, found by looking into `user_management.mirror`."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache

from user_management import mirror
from user_management.mirror.engine.resource import Resource


@cache
def resources() -> tuple[Resource, ...]:
    """Every resource, parents before the resources whose objects end with them."""
    modules = (module for module in pkgutil.iter_modules(mirror.__path__) if not module.ispkg)
    found = [importlib.import_module(f"{mirror.__name__}.{module.name}").resource for module in modules]
    by_name = {resource.name: resource for resource in found}
    return tuple(sorted(found, key=lambda resource: (depth(resource, by_name), resource.name)))


def depth(resource: Resource, by_name: Mapping[str, Resource]) -> int:
    """How many generations of parents a resource has."""
    parents = {cascade.parent for cascade in resource.cascades} | {resource.listing.per or resource.name}
    return max((1 + depth(by_name[name], by_name) for name in parents - {resource.name}), default=0)


def by_name(name: str) -> Resource | None:
    """The resource called `name` (its table and its path are called so too)."""
    return next((resource for resource in resources() if resource.name == name), None)


def event_types(found: Iterable[Resource]) -> list[str]:
    """The event types that change any of these resources: what we subscribe to."""
    return sorted({event for resource in found for event in resource.events})
