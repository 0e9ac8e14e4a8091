from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from user_management.sandbox import (
    activity,
    api_keys,
    authentication,
    clock,
    connections,
    control,
    dashboard,
    directories,
    directory_groups,
    directory_users,
    email_changes,
    email_verifications,
    errors,
    events,
    feature_flags,
    group_members,
    groups,
    invitations,
    magic_auth,
    memory,
    organization_domains,
    organization_memberships,
    organization_roles,
    organizations,
    password_resets,
    permissions,
    roles,
    seed,
    sessions,
    sign_in_control,
    tokens,
    users,
    webhooks,
)
from user_management.sandbox.config import Config
from user_management.sandbox.continuations import Rules
from user_management.sandbox.faults import FaultInjector
from user_management.sandbox.gate import Gate
from user_management.sandbox.identifiers import Identifiers
from user_management.sandbox.limits import Limits
from user_management.sandbox.store import Store

ROUTES: Final = [
    *events.ROUTES,
    *users.ROUTES,
    *organization_memberships.ROUTES,
    *organizations.ROUTES,
    *organization_domains.ROUTES,
    *invitations.ROUTES,
    *roles.ROUTES,
    *organization_roles.ROUTES,
    *permissions.ROUTES,
    *groups.ROUTES,
    *group_members.ROUTES,
    *connections.ROUTES,
    *directories.ROUTES,
    *directory_users.ROUTES,
    *directory_groups.ROUTES,
    *api_keys.ROUTES,
    *feature_flags.ROUTES,
    *sessions.ROUTES,
    *authentication.ROUTES,
    *tokens.ROUTES,
    *magic_auth.ROUTES,
    *email_verifications.ROUTES,
    *password_resets.ROUTES,
    *email_changes.ROUTES,
    *sign_in_control.ROUTES,
    *control.ROUTES,
    *dashboard.ROUTES,
]
"""Everything that is answered: WorkOS's paths, then the sandbox's own."""


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
    store.rules = Rules(config.require_verified_email, config.require_organization)
    limits = Limits(enabled=config.rate_limits, now=store.now)
    injector = FaultInjector(config.faults, seed=config.fault_seed, slow_seconds=config.fault_slow_seconds)
    app = Sandbox(
        routes=ROUTES,
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
