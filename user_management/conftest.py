"""What every test can ask for: a PostgreSQL database of its own, a local WorkOS, and a listener between the two."""

import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest
import structlog

from user_management.db import embedded, schema, session
from user_management.db.session import Connection, Pool
from user_management.journal import checkpoints, cursor
from user_management.listener.worker import Listener, Pace
from user_management.mirror.engine import catalog
from user_management.services.workos.client import WorkOS
from user_management.tests.support.local_workos import LocalWorkOS

NUMBERS = count(1)
FOREIGN = re.compile(
    r"(USER_MANAGEMENT|OTEL|TTY)_.*|FORCE_COLOR|NO_COLOR|PY_COLORS|GITHUB_ACTIONS|M(AKE)?FLAGS|MAKELEVEL|.*_proxy",
    re.IGNORECASE,
)
"""Variables that change what our processes do, say or reach: those of the machine the tests run on do not count."""

hypothesis.settings.register_profile(
    "busy", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")


def pytest_configure() -> None:
    """Forget foreign variables, before anything is imported that reads them."""
    for name in filter(FOREIGN.fullmatch, list(os.environ)):
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty working directory: nobody's `.env` is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    """What a test configures of structlog ends with it, and no logger keeps what it was first used with."""
    before, configure = structlog.get_config(), structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            structlog, "configure", lambda **given: configure(**{**given, "cache_logger_on_first_use": False})
        )
        yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[str]:
    """The URL of a PostgreSQL with a migrated database, `template`; it forgets all when it crashes and never tidies.

    It lives outside pytest's own folder, which another run of pytest may tidy away under it.
    """
    with tempfile.TemporaryDirectory(prefix="user-management-") as folder, embedded.server(Path(folder, "pg")) as url:
        connection = await session.connect(url)
        for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            await connection.execute(f"ALTER SYSTEM SET {name} = off")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()
        await schema.upgrade(await embedded.create(url, "template"))
        yield url


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder for a demo and its PostgreSQL: pytest's own is closed to its user by any other run of pytest."""
    with tempfile.TemporaryDirectory(prefix="user-management-") as path:
        yield Path(path).resolve()


@pytest.fixture
async def database_url(server: str) -> AsyncIterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    name = f"test_{next(NUMBERS)}"
    yield await embedded.create(server, name, template="template")
    await embedded.drop(server, name)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool over the test's database, ready to record into."""
    async with session.open_pool(database_url, size=8) as opened:
        async with session.transaction(opened) as connection:
            await checkpoints.ensure(connection, [resource.name for resource in catalog.resources()])
            await cursor.ensure(connection)
        yield opened


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A connection in a transaction that is rolled back after the test."""
    async with pool.acquire() as acquired:
        transaction = acquired.transaction()
        await transaction.start()
        yield acquired
        await transaction.rollback()


@pytest.fixture
async def local() -> AsyncIterator[LocalWorkOS]:
    """A local WorkOS without rate limits, whose clock and feed the test commands."""
    async with LocalWorkOS.running() as running:
        yield running


@pytest.fixture
def workos(local: LocalWorkOS) -> WorkOS:
    """A connection to the local WorkOS."""
    return local.connection


@pytest.fixture
def listener(pool: Pool, workos: WorkOS) -> Listener:
    """A listener between the two, impatient so that tests are not slow."""
    resources = catalog.resources()
    pace = Pace(poll_interval=0.02, lease=2.0, backoff_initial=0.01, backoff_max=0.05)
    return Listener(pool, workos, resources, catalog.event_types(resources), pace)
