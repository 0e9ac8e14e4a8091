"""What a sandbox remembers of its last run: its whole store, in one file (a pickle: give it nobody else's)."""

import asyncio
import os
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Final

from user_management.sandbox import clock, seed_families
from user_management.sandbox.config import Config
from user_management.sandbox.store import Store

SECONDS: Final = 60.0
"""Between two writings of the file: what a kill may cost."""

ADDED: Final = frozenset(
    "organization_domains invitations organization_roles permissions groups group_members connections directories "
    "directory_users directory_groups directory_members api_keys flags flag_rules".split()
)
"""What stores did not have at first."""


class Forgotten(ValueError):
    """The file was written by another version of the sandbox, or by something else: remove it to begin anew."""


def shape() -> list[str]:
    """What a store consists of; a file with something else in it is another version's."""
    return [field.name for field in fields(Store)]


def complete(store: Store, written: list[str]) -> None:
    """Give a store of an earlier version, empty, what it did not have yet."""
    for field in fields(Store):
        if field.name not in written and field.default_factory is not MISSING:
            setattr(store, field.name, field.default_factory())
    if not ADDED & set(written):
        seed_families.adopt(store)


def keep(store: Store, file: Path) -> None:
    """Write the store, in place of the file at once or not at all."""
    draft = file.with_name(f"{file.name}.new")
    time, store.time = store.time, clock.utc_now
    try:
        draft.write_bytes(pickle.dumps((shape(), store), pickle.HIGHEST_PROTOCOL))
    finally:
        store.time = time
    os.replace(draft, file)  # noqa: PTH105  one system call, which says what it does


def recall(config: Config, time: clock.Clock) -> Store | None:
    """The store as it was left, under today's configuration; None without a file, `Forgotten` for a wrong one."""
    file = Path(config.state)
    if not config.state or not file.exists():
        return None
    try:
        written, store = pickle.loads(file.read_bytes())  # noqa: S301  our own file
    except (pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError, TypeError, ValueError) as error:
        raise Forgotten(f"{file}: {Forgotten.__doc__}") from error
    if not isinstance(store, Store) or not _earlier(written):
        raise Forgotten(f"{file}: {Forgotten.__doc__}")
    complete(store, written)
    store.config, store.time, store.hold_back = config, time, config.hold_back
    store.unknown_cursor = config.unknown_cursor
    return store


def _earlier(written: object) -> bool:
    """Whether a shape is ours, or ours without what can begin empty."""
    needed = {field.name for field in fields(Store) if field.default_factory is MISSING}
    return isinstance(written, list) and needed <= set(written) <= set(shape())


@asynccontextmanager
async def kept(store: Store, seconds: float = SECONDS) -> AsyncIterator[None]:
    """Write the file at once, now and then while the block lasts, and at its end."""
    if not store.config.state:
        yield
        return
    file = Path(store.config.state)
    keep(store, file)
    task = asyncio.create_task(_keep_on(store, file, seconds, len(store.feed)))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        keep(store, file)


async def _keep_on(store: Store, file: Path, seconds: float, written: int) -> None:
    """Write the file whenever something has happened; so many events are in it."""
    while True:
        await asyncio.sleep(seconds)
        if len(store.feed) != written:
            keep(store, file)
            written = len(store.feed)
