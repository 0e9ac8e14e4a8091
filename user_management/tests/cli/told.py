"""What WorkOS tells in these tests."""

from typing import Any

from user_management.journal import entries
from user_management.journal.entries import Entry
from user_management.tests.support.histories import START, moment


def event(type_: str, data: Any, *, name: str) -> Entry:
    """The entry of an event that came by the feed."""
    said = {"object": "event", "id": name, "event": type_, "created_at": moment(0), "data": data}
    return entries.of_event(said, received_at=START)
