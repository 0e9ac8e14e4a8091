"""`python -m user_management.listener`: follow WorkOS until told to stop."""

import asyncio
import gc
import signal
import sys

import structlog
import uvloop

from user_management import settings as configuration
from user_management import telemetry
from user_management.db import schema, session
from user_management.db.session import DatabaseUnavailable, Pool
from user_management.errors import Misconfigured
from user_management.listener import daemon, monitoring, subscription, worker
from user_management.listener.backoff import INITIAL, Backoff
from user_management.listener.worker import Listener, Pace
from user_management.mirror.engine import catalog
from user_management.services.workos import budget, client, event_types
from user_management.settings import Settings, Source

log = structlog.get_logger(__name__)


def pace(settings: Settings) -> Pace:
    """The pace the settings ask for."""
    return Pace(
        poll_interval=settings.poll_interval,
        lease=settings.lease_seconds,
        backoff_max=settings.backoff_max,
        backfill_margin=settings.backfill_margin,
        backfill_max_deletions=settings.backfill_max_deletions,
        verify_days=settings.verify_days,
        webhook_patience=settings.webhook_patience,
    )


async def check_database(url: str, backoff: Backoff) -> None:
    """Wait for the database, as long as it takes, and check its schema; `Misconfigured` when it is not what we need."""
    while True:
        try:
            async with session.connection(url) as connection:
                return await schema.check(connection)
        except DatabaseUnavailable as error:
            wait = backoff.next(error.retry_after, nearby=True)
            log.warning("database.waiting", error=str(error), next_try_in=round(wait, 1))
            await asyncio.sleep(wait)


def calm_the_collector() -> None:
    """Spare the garbage collector what stays, and look less often at what dies young."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


def told_to_stop() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def listen(settings: Settings) -> None:
    """Check the database, then follow WorkOS; SIGTERM and SIGINT end the waiting, or finish the page at hand."""
    stopping = told_to_stop()
    url, source = configuration.database_url(settings), configuration.source(settings)
    if source.sandbox:
        log.warning("sandbox.followed", url=source.base_url, hint=configuration.MADE_UP)
    async with (
        session.open_pool(url, size=settings.database_pool_size, application="user-management-listener") as pool,
        monitoring.serving(
            url,
            host=settings.host,
            port=settings.monitoring_port,
            stale_after=settings.stale_after,
            source=source.name,
            requests_per_minute=settings.workos_requests_per_minute,
        ),
    ):
        backoff = Backoff(INITIAL, settings.backoff_max)
        await worker.unless_stopping(stopping, check_database(url, backoff))
        if not stopping.is_set():
            await follow(settings, pool, source, stopping)


async def follow(settings: Settings, pool: Pool, source: Source, stopping: asyncio.Event) -> None:
    """Follow WorkOS with the copy in a database that was checked, until asked to stop."""
    resources = catalog.resources()
    types = subscription.types(resources, settings.ignored_event_types)
    if unknown := event_types.new({*types, *settings.ignored_event_types}):
        log.warning("events.not_followed", types=unknown)
    async with (
        budget.shared(pool.acquire, settings.workos_requests_per_minute) as shared,
        client.connect(
            api_key=source.api_key,
            client_id=source.client_id,
            base_url=source.base_url,
            seconds=settings.workos_timeout,
            budget=shared,
        ) as workos,
    ):
        hears = configuration.database_url(settings) if configuration.webhook_secrets(settings) else ""
        listener = Listener(pool, workos, resources, types, pace(settings), stopping=stopping, hears=hears)
        calm_the_collector()
        log.info("listener.started", listener=listener.name, workos=source.base_url, event_types=len(types))
        await daemon.run(listener)


def main() -> None:
    """Run the listener; a wrong configuration is one sentence and exit status 2."""
    try:
        settings = configuration.load()
        telemetry.configure(
            "user-management-listener",
            log_level=settings.log_level,
            environment=settings.environment,
            endpoint=settings.opentelemetry_endpoint,
            signals=settings.opentelemetry_signals,
            share=settings.opentelemetry_sampling,
            personal_data=settings.log_personal_data,
        )
        uvloop.run(listen(settings))
    except Misconfigured as error:
        print(f"user-management-listener: {error}", file=sys.stderr)  # noqa: T201  said before anything is followed
        sys.exit(2)


if __name__ == "__main__":
    main()
