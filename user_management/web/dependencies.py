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
from user_management.web.connections import Connections


@dataclass(frozen=True, slots=True)
class Backend:
    """What the API stands on: `sandbox` if WorkOS is one; `writes` are those it may have heard of, to be heard out.

    `secret` keys the digests of what callers sent: it is in no database.
    """

    connections: Connections
    workos: WorkOS
    resources: Sequence[Resource]
    stale_after: float
    watcher: Watcher
    sandbox: bool = False
    secret: bytes = field(default=b"", repr=False)
    workers: Path | None = None
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    writes: set[asyncio.Task[Any]] = field(default_factory=set)


def backend(request: Request) -> Backend:
    """The backend of the app that serves a request."""
    found: Backend = request.app.state.backend
    return found
