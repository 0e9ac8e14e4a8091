"""What we subscribe to: every event that changes something copied, and those that are kept in the journal alone."""

from collections.abc import Iterable

from user_management.mirror.engine import catalog
from user_management.mirror.engine.resource import Resource
from user_management.services.workos import event_types


def types(resources: Iterable[Resource], ignored: Iterable[str]) -> list[str]:
    """The event types to ask the feed for; `ignored` are those that a WorkOS does not know."""
    return sorted({*catalog.event_types(resources), *event_types.STATELESS} - set(ignored))
