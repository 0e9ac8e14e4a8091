"""Waiting until everything answers, with a look at how far the first backfill is."""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from user_management.db import session
from user_management.demo import screen
from user_management.errors import UserManagementError
from user_management.journal import cursor
from user_management.listener import backfills
from user_management.listener.backfills import Backfill

GLANCE = 0.1
"""Seconds between looks."""


class Interrupted(UserManagementError):
    """Somebody asked us to stop."""


class ChildDied(UserManagementError):
    """A process that everything depends on has ended."""


def answers(url: str) -> bool:
    """Whether a request to the URL is answered with 200."""
    try:
        return httpx.get(url, timeout=5).status_code == HTTPStatus.OK
    except httpx.HTTPError:
        return False


def until_answers(url: str, look: Callable[[], None]) -> None:
    """Wait for a 200; `look` raises when there is no point in waiting on."""
    while not answers(url):
        look()
        time.sleep(GLANCE)


def until_ready(url: str, database: str, look: Callable[[], None]) -> Backfill | None:
    """Wait until the copy is complete and live, and show how far it is; the backfill that made it so."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen.console, transient=True, disable=not screen.console.is_terminal) as progress:
        task = progress.add_task("Starting", rate="")
        while not answers(url):
            look()
            run = asyncio.run(newest(database))
            if run is not None:
                seconds = progress.tasks[task].elapsed or 1
                text = f"{run.phase.value.capitalize()} {run.resource}: {run.listed:,} objects"
                progress.update(task, description=text, rate=f"{run.listed / seconds:,.0f}/s")
            time.sleep(GLANCE)
    return asyncio.run(newest(database))


async def newest(database: str) -> Backfill | None:
    """The newest backfill."""
    connection = await session.connect(database)
    try:
        return await backfills.latest(connection)
    finally:
        await connection.close()


async def last_event(database: str) -> str | None:
    """The event the copy stands behind."""
    connection = await session.connect(database)
    try:
        return (await cursor.read(connection)).event_id
    finally:
        await connection.close()


def second_page(api: str) -> str | None:
    """What to ask for after the first two users; None when there are no more."""
    try:
        answer = httpx.get(f"{api}/api/users", params={"limit": 2}, timeout=5).json()
        return str(answer["list_metadata"]["after"] or "") or None
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
