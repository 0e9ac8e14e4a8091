"""What every handler is given: the database, the way to WorkOS, the resources, and how old the copy may be."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request

from user_management.journal.watch import Watcher
from user_management.mirror.engine.resource import Resource
from user_management.services.workos.client import WorkOS
from user_management.services.workos.passage import Passage
from user_management.web.connections import Connections
from user_management.web.credentials.rates import Rates

AT_ONCE = 2
"""Exports that a process does at once, so that they leave connections to everybody else."""
STRANGERS = 60
"""Requests in a minute that a process passes on for one address without our key."""


@dataclass(frozen=True, slots=True)
class Backend:
    """What the API stands on: `sandbox` if WorkOS is one; `under_way` is what it may have heard of, to be heard out.

    `secret` keys the digests of what callers sent: it is in no database.
    """

    connections: Connections
    workos: WorkOS
    resources: Sequence[Resource]
    stale_after: float
    watcher: Watcher
    passage: Passage
    max_staleness: float = 60.0
    sandbox: bool = False
    secret: bytes = field(default=b"", repr=False)
    workers: Path | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    under_way: set[asyncio.Task[Any]] = field(default_factory=set)
    exports: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    strangers: Rates = field(default_factory=lambda: Rates("strangers", STRANGERS))
    orders: dict[str, Any] = field(default_factory=dict)
    """In which order WorkOS listed what has an order of its own, by path."""


def backend(request: Request) -> Backend:
    """The backend of the app that serves a request."""
    found: Backend = request.app.state.backend
    return found
