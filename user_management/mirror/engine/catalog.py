"""The catalog: every resource there is, found by looking into `user_management.mirror`."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache

from user_management import mirror
from user_management.mirror.engine.resource import Resource


@cache
def resources() -> tuple[Resource, ...]:
    """Every resource, parents before the resources whose objects end with them."""
    modules = (module for module in pkgutil.iter_modules(mirror.__path__) if not module.ispkg)
    found = [importlib.import_module(f"{mirror.__name__}.{module.name}").resource for module in modules]
    return tuple(sorted(found, key=lambda resource: (len(resource.cascades), resource.name)))


def by_name(name: str) -> Resource | None:
    """The resource called `name` (its table and its path are called so too)."""
    return next((resource for resource in resources() if resource.name == name), None)


def event_types(found: Iterable[Resource]) -> list[str]:
    """The event types that change any of these resources: what we subscribe to."""
    return sorted({event for resource in found for event in resource.events})
