"""What passed-on answers tell goes into the copy before they are handed on; whether it could changes no answer."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from user_management.db.session import Connection
from user_management.journal import checkpoints
from user_management.journal import entries as journal
from user_management.journal.entries import Entry, Lane
from user_management.mirror.engine.apply import fold_all
from user_management.mirror.engine.record import EFFECTIVE, judged, record, report
from user_management.web.attempts import RECORDING
from user_management.web.dependencies import Backend
from user_management.web.workos.copied import Away

log = structlog.get_logger(__name__)

READING = 2.0
"""Seconds that the answer to a read is kept back at most, for the copy to learn of it."""


async def learn(server: Backend, told: Sequence[Entry]) -> None:
    """Record what was told, if the database lets us in time: the event will bring it."""
    if not told:
        return
    lane = told[0].lane
    try:
        async with asyncio.timeout(RECORDING if lane is Lane.REPLY else READING):
            await recorded(server, told, lane)
    except Away as error:
        log.warning("reply.not_learnt", error=type(error).__name__)
    except Exception:
        log.exception("reply.not_recorded")


async def recorded(server: Backend, told: Sequence[Entry], lane: Lane) -> None:
    """Write what was told into the journal and the copy; what a read told only if it is news."""
    began = time.perf_counter()
    async with server.connections.one() as connection:
        if lane is Lane.LIST and not await news(connection, server, told):
            return
        async with connection.transaction():
            done = await record(connection, server.resources, told)
    report(done, lane, began=began)


async def news(connection: Connection, server: Backend, told: Sequence[Entry]) -> bool:
    """Whether the copy would change: most reads tell nothing new, and they must not stand in the listener's way."""
    head = (await checkpoints.read(connection)).get(checkpoints.HEAD, 0)
    folds = await fold_all(connection, server.resources, journal.number(told, after=head))
    return any(entry.verdict in EFFECTIVE for entry in judged(told, folds))
