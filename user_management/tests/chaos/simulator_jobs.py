"""Many runs: shared out among processes, each with a simulator and a database of its own, on one PostgreSQL."""

import asyncio
import contextlib
import gc
import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from user_management.db import embedded, schema, session
from user_management.tests.chaos import simulator
from user_management.tests.chaos.faults import FAULTS
from user_management.tests.chaos.simulator import Failure, Simulator

SHARE = 25
"""Runs that a process takes at a time."""
SELDOM = 4
"""Shares after which a process clears away its garbage, which takes as long as a run or three."""
SWIFT = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "5s"}
"""A PostgreSQL whose data nobody will miss, and whose rows are deleted all the time."""

Batch = tuple[str, range]
"""Runs of one fault class."""


class Own:
    """The simulator of this process."""

    simulator: Simulator
    kept = contextlib.ExitStack()
    batches = 0


def begin(url: str) -> None:
    """Set this process up: silent, with a database of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    name = f"simulation_{multiprocessing.current_process().name.rpartition('-')[2]}"
    own = asyncio.run(embedded.create(url, name, template="simulation"))
    gc.freeze()
    gc.disable()
    Own.simulator = Own.kept.enter_context(simulator.simulator(own))


def work(batch: Batch) -> tuple[Batch, list[Failure]]:
    """Do some runs; the failures among them."""
    name, seeds = batch
    failures = [found for seed in seeds if (found := Own.simulator.run(FAULTS[name], seed)) is not None]
    Own.batches += 1
    if Own.batches % SELDOM == 0:
        gc.collect()
    return batch, failures


def batches(names: Sequence[str], seeds: range) -> list[Batch]:
    """All runs, in shares."""
    return [(name, seeds[start : start + SHARE]) for name in names for start in range(0, len(seeds), SHARE)]


async def prepare(url: str) -> None:
    """A migrated database to copy from, on a server made swift."""
    connection = await session.connect(url)
    for name, value in SWIFT.items():
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()
    await schema.upgrade(await embedded.create(url, "simulation"))


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of a PostgreSQL for simulations."""
    with tempfile.TemporaryDirectory(prefix="user-management-") as folder, embedded.server(Path(folder, "pg")) as url:
        asyncio.run(prepare(url))
        yield url


def campaign(names: Sequence[str], seeds: range, jobs: int) -> Iterator[tuple[Batch, list[Failure]]]:
    """Do all runs, by so many processes; yields each share with its failures as it is done."""
    context = multiprocessing.get_context("spawn")
    with server() as url, context.Pool(jobs, begin, (url,)) as pool:
        yield from pool.imap_unordered(work, batches(names, seeds))
        pool.close()
        pool.join()
