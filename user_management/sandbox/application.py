from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from user_management.sandbox import (
    activity,
    clock,
    control,
    errors,
    events,
    memory,
    organization_memberships,
    organizations,
    roles,
    seed,
    sessions,
    users,
    webhooks,
)
from user_management.sandbox.config import Config
from user_management.sandbox.faults import FaultInjector
from user_management.sandbox.gate import Gate
from user_management.sandbox.identifiers import Identifiers
from user_management.sandbox.limits import Limits
from user_management.sandbox.store import Store


class Sandbox(Starlette):
    """The app with its faults outermost, where they can still reach the connection."""

    def build_middleware_stack(self) -> ASGIApp:
        """Starlette's own stack, misbehaving as told."""
        injector: FaultInjector = self.state.faults
        return injector.wrap(super().build_middleware_stack())


def create_app(config: Config | None = None, *, time: clock.Clock = clock.utc_now) -> Sandbox:
    """A whole WorkOS in one ASGI app: seeded, or as it was left; activity runs while its lifespan does."""
    config = config or Config()
    store = memory.recall(config, time) or _new(config, time)
    limits = Limits(enabled=config.rate_limits, now=store.now)
    injector = FaultInjector(config.faults, seed=config.fault_seed, slow_seconds=config.fault_slow_seconds)
    app = Sandbox(
        routes=[
            *events.ROUTES,
            *users.ROUTES,
            *organization_memberships.ROUTES,
            *organizations.ROUTES,
            *roles.ROUTES,
            *sessions.ROUTES,
            *control.ROUTES,
        ],
        middleware=[Middleware(Gate, api_key=config.api_key, limits=limits)],
        exception_handlers={
            errors.ApiError: errors.handle,
            ClientDisconnect: errors.hung_up,
            404: errors.no_route,
            405: errors.no_route,
        },
        lifespan=_lifespan,
    )
    app.state.store, app.state.limits, app.state.faults = store, limits, injector
    app.state.activity = activity.Activity(store, seed=config.seed, rate=config.activity)
    app.state.activity.replay(config.backlog)
    endpoint = webhooks.Endpoint(url=config.webhook_url, secret=config.webhook_secret, seed=config.seed)
    app.state.webhooks = webhooks.Deliveries(store, endpoint)
    return app


def _new(config: Config, time: clock.Clock) -> Store:
    store = Store(config, time, Identifiers(config.seed), config.hold_back, config.unknown_cursor)
    seed.fill(store)
    return store


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with memory.kept(app.state.store), app.state.activity.running(), app.state.webhooks.running():
        yield
