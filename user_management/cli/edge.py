"""Where a command meets the world: its settings, its database, its two consoles, and errors as sentences."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import asyncpg
import typer
from rich.console import Console

from user_management import settings as configuration
from user_management.db import jsontext, schema, session
from user_management.db.session import Pool
from user_management.errors import Misconfigured, UserManagementError
from user_management.settings import Settings

T = TypeVar("T")
UNBROKEN = 1000
"""Columns of what is no terminal: who greps wants whole lines."""


def console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal; where there is none, as wide as anything we say."""
    found = Console(stderr=stderr, highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = UNBROKEN
    return found


out, err = console(), console(stderr=True)

FAILED, MISCONFIGURED, DIFFERED, INTERRUPTED = 1, 2, 3, 130
"""Exit statuses; 0 is success."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with: the settings, the database's URL and a pool over it."""

    settings: Settings
    url: str
    pool: Pool


def run(work: Coroutine[Any, Any, T]) -> T:
    """The work's result; an expected error is one sentence on stderr and an exit status, never a traceback."""
    try:
        return asyncio.run(work)
    except Misconfigured as error:
        give_up(error, MISCONFIGURED)
    except (UserManagementError, *session.Unreachable) as error:
        give_up(error, FAILED)
    except asyncpg.SyntaxOrAccessError as error:
        give_up(Misconfigured(f"{error}. The tables or our rights are not as they should be: user-management doctor"),
                MISCONFIGURED)  # fmt: skip


def print_json(value: object) -> None:
    """Print what programs read; what no terminal can show of it (half a character of WorkOS's) stays escaped."""
    text = jsontext.dumps(value)
    out.print_json(text, ensure_ascii=text.isascii())


def give_up(error: Exception, status: int) -> NoReturn:
    """Say what is wrong and leave."""
    err.print(f"user-management: {str(error) or type(error).__name__}", style="red", markup=False, soft_wrap=True)
    raise typer.Exit(status) from error


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """The settings and a pool over a database whose schema is right; `Misconfigured` or `Wait` when it is not so."""
    settings = configuration.load()
    url = configuration.database_url(settings)
    async with session.connection(url, application="user-management-cli") as connection:
        await schema.check(connection)
    async with session.open_pool(url, size=settings.database_pool_size, application="user-management-cli") as pool:
        yield Desk(settings, url, pool)


def interrupted() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set, so that a command can leave by itself."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def rate(done: float, seconds: float) -> str:
    """So many per second, readably."""
    return f"{done / seconds:,.0f}/s" if seconds > 0 else "-"
