"""`python -m user_management`: serve the copy."""

import asyncio
import gc
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from user_management import settings as configuration
from user_management import telemetry
from user_management.db import schema, session
from user_management.errors import Misconfigured, Wait
from user_management.journal import checkpoints, cursor
from user_management.mirror.engine import catalog
from user_management.settings import Environment, Settings, Source
from user_management.telemetry import exposition
from user_management.web import application, workers
from user_management.web.credentials import keys, rates, tokens
from user_management.web.credentials.keys import Key
from user_management.web.lifespan import Options

log = structlog.get_logger(__name__)

APP = "user_management.__main__:create_app"
HUNG = 60
"""Seconds without a sign of life after which a worker is replaced: on a busy machine, starting one takes a while."""


def options(settings: Settings) -> Options:
    """What the settings say about the API."""
    url, source = configuration.database_url(settings), configuration.source(settings)
    api_keys = keys.parsed(settings.api_keys.get_secret_value())
    return Options(
        database_url=url,
        pool_size=settings.database_pool_size,
        workos_api_key=source.api_key,
        workos_client_id=source.client_id,
        workos_base_url=source.base_url,
        workos_timeout=settings.workos_timeout,
        workos_requests_per_minute=settings.workos_requests_per_minute,
        sandbox=source.sandbox,
        stale_after=settings.stale_after,
        max_staleness=settings.max_staleness,
        cors_origins=tuple(settings.cors_origins),
        webhook_secrets=configuration.webhook_secrets(settings),
        api_keys=api_keys,
        token_issuers=tuple(settings.workos_issuers) or tokens.issuers(source.base_url, source.client_id),
        open=unguarded(settings, source, api_keys),
        rate_limit=rates.share(settings.rate_limit, settings.workers_count),
        workers=exposition.folder(),
    )


def unguarded(settings: Settings, source: Source, api_keys: Sequence[Key]) -> bool:
    """Whether nobody needs a credential: in development and before made-up people, as long as there are no keys.

    `Misconfigured` in production when no credential could be accepted.
    """
    if api_keys:
        return False
    if source.sandbox or settings.environment is Environment.DEV:
        return True
    if not source.client_id:
        raise Misconfigured(
            "In production callers need a credential. Run `user-management keys new --name x --scope read` and put "
            "the entry it prints into USER_MANAGEMENT_API_KEYS, or set USER_MANAGEMENT_WORKOS_CLIENT_ID, for the "
            "session tokens of its users."
        )
    return False


def observe(settings: Settings) -> None:
    """Set up the logs, metrics and traces of a process that serves."""
    telemetry.configure(
        "user-management-api",
        log_level=settings.log_level,
        environment=settings.environment,
        endpoint=settings.opentelemetry_endpoint,
        signals=settings.opentelemetry_signals,
        share=settings.opentelemetry_sampling,
        personal_data=settings.log_personal_data,
    )


def create_app() -> FastAPI:
    """The app of one worker process, which reads the settings for itself."""
    settings = configuration.load()
    observe(settings)
    app = application.create_app(options(settings))
    # What was imported stays: the collector need not look through it during reads.
    gc.collect()
    gc.freeze()
    return app


async def check(url: str) -> None:
    """Refuse a database that is away or whose schema is not the one this code needs; ready it for what is recorded."""
    async with session.connection(url, application="user-management-api") as connection:
        await schema.check(connection)
        await checkpoints.ensure(connection, [resource.name for resource in catalog.resources()])
        await cursor.ensure(connection)


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    told: dict[str, Any] = {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers_count,
        "reload": settings.reload,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 10,
        "timeout_worker_healthcheck": HUNG,
    }
    with exposition.meeting_place(settings.workers_count):
        if settings.workers_count > 1 and not settings.reload:
            workers.serve(uvicorn.Config(APP, **told))
        else:
            uvicorn.run(APP, **told)


def main() -> None:
    """Run the API; a wrong configuration is one sentence and exit status 2, a database that is away is status 1."""
    signal.signal(signal.SIGTERM, leave)
    try:
        settings = configuration.load()
        telemetry.logs.configure(
            settings.log_level,
            json=telemetry.as_json(settings.environment),
            personal_data=settings.log_personal_data,
        )
        chosen = options(settings)
        asyncio.run(check(chosen.database_url))
    except Misconfigured as error:
        refuse(error, 2)
    except Wait as error:
        refuse(error, 1)
    else:
        if chosen.sandbox:
            log.warning("sandbox.followed", url=chosen.workos_base_url, hint=configuration.MADE_UP)
        serve(settings)


def leave(_number: int, _frame: FrameType | None) -> None:
    """End with status 0: to be told to stop is no failure. uvicorn stops in order, then raises the signal again."""
    sys.exit(0)


def refuse(error: Exception, status: int) -> None:
    """Say in one sentence why there is nothing to serve."""
    print(f"user-management: {error}", file=sys.stderr)  # noqa: T201  said before there is anything to log
    sys.exit(status)


if __name__ == "__main__":
    main()
