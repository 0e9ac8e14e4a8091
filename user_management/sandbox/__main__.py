import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
import uvicorn

from user_management.sandbox.application import create_app
from user_management.sandbox.config import Config
from user_management.sandbox.faults import NAMES, check
from user_management.sandbox.memory import Forgotten
from user_management.sandbox.sessions import SEEDED_PASSWORD
from user_management.sandbox.store import Store

cli = typer.Typer(add_completion=False)


def _shares(faults: list[str]) -> dict[str, float]:
    """The shares named by `NAME=SHARE` options."""
    pairs = [fault.partition("=") for fault in faults]
    try:
        shares = {name: float(share) for name, _, share in pairs}
        check(shares)
    except ValueError as error:
        raise typer.BadParameter(f"{error} (give NAME=SHARE, such as 500=0.01)", param_hint="--fault") from error
    return shares


@cli.command()
def main(  # noqa: PLR0917 - typer reads options from parameters, and calls by keyword
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 4100,
    api_key: Annotated[str, typer.Option(help="The only key that is let in.")] = "sk_sandbox",
    users: Annotated[int, typer.Option(min=0, help="Users to seed.")] = 0,
    organizations: Annotated[
        int | None, typer.Option(min=0, help="Organizations to seed; one for every 50 users unless told.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same day: same data.")] = 1,
    seed_until: Annotated[
        datetime | None, typer.Option(help="Newest date of seeded objects; today's midnight (UTC) unless told.")
    ] = None,
    backlog: Annotated[int, typer.Option(min=0, help="Events that happened in the last hour already.")] = 0,
    activity: Annotated[float, typer.Option(min=0, help="Events per second that go on happening.")] = 0,
    hold_back: Annotated[float, typer.Option(min=0, help="Seconds before an event is visible.")] = 2,
    rate_limits: Annotated[bool, typer.Option(help="Enforce the rate limits that WorkOS publishes.")] = True,
    cascade_events: Annotated[
        bool, typer.Option(help="Emit organization_membership.deleted before the deletion of its parent.")
    ] = True,
    require_verified_email: Annotated[
        bool, typer.Option(help="Ask for an unverified address to be verified before there is a session.")
    ] = False,
    require_organization: Annotated[
        bool, typer.Option(help="Ask who is a member of several organizations to choose one at sign-in.")
    ] = True,
    issuer: Annotated[
        str, typer.Option(help="Who access tokens are from; <url>/user_management/<client id> unless told.")
    ] = "",
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SHARE", help=f"Misbehave; repeatable. Names: {', '.join(NAMES)}."),
    ] = None,
    fault_seed: Annotated[int, typer.Option(help="Which requests meet a fault.")] = 1,
    fault_slow_seconds: Annotated[float, typer.Option(min=0, help="How long a slow answer takes.")] = 5,
    webhook: Annotated[str, typer.Option(metavar="URL", help="Tell this endpoint of every event, as it happens.")] = "",
    webhook_secret: Annotated[str, typer.Option(help="What webhooks are signed with.")] = "whsec_sandbox",  # noqa: S107 - a made-up one, as the CLI says
    state: Annotated[
        Path | None, typer.Option(help="File to remember everything in; what it holds wins over what is to be seeded.")
    ] = None,
) -> None:
    """Run a local WorkOS in memory: users, organizations, memberships, roles, sessions and their events."""
    config = Config(
        api_key=api_key,
        users=users,
        organizations=organizations,
        seed=seed,
        seed_until=seed_until and seed_until.replace(tzinfo=UTC),
        backlog=backlog,
        activity=activity,
        hold_back=hold_back,
        rate_limits=rate_limits,
        cascade_events=cascade_events,
        require_verified_email=require_verified_email,
        require_organization=require_organization,
        issuer=issuer,
        faults=_shares(fault or []),
        fault_seed=fault_seed,
        fault_slow_seconds=fault_slow_seconds,
        state=str(state or ""),
        webhook_url=webhook,
        webhook_secret=webhook_secret,
    )
    with suppress(KeyboardInterrupt), _bound(host, port) as address:
        _serve(config, address, f"http://{host}:{address.getsockname()[1]}")


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that owns the address but does not listen yet, so that a taken port is told before the seeding."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as address:
        address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            address.bind((host, port))
        except OSError as error:
            raise typer.BadParameter(f"{host}:{port}: {error.strerror}", param_hint="--host, --port") from error
        yield address


def _serve(config: Config, address: socket.socket, url: str) -> None:
    """Seed, say so once requests are answered, and go on until a signal comes."""
    # uvicorn stops in order, then raises the signal again: to be told to stop is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    started = perf_counter()
    try:
        app = create_app(config)
    except Forgotten as error:
        raise typer.BadParameter(str(error), param_hint="--state") from error
    address.listen()
    words = banner(app.state.store, url, perf_counter() - started)
    options = uvicorn.Config(
        app, log_level="warning", access_log=False, proxy_headers=False, timeout_graceful_shutdown=1
    )
    Announced(options, words).run([address])


class Announced(uvicorn.Server):
    """A server that says where it is once it heeds signals, so that who has read it may stop it."""

    def __init__(self, options: uvicorn.Config, words: str) -> None:
        super().__init__(options)
        self.words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        typer.echo(self.words)


def banner(store: Store, url: str, seconds: float) -> str:
    """What somebody who starts the sandbox needs to know."""
    config = store.config
    counts = (len(store.users), len(store.organizations), len(store.memberships), len(store.feed))
    header = f'-H "Authorization: Bearer {config.api_key}"'
    return "\n".join(
        (
            f"WorkOS sandbox at {url}   key {config.api_key}   client {config.client_id}",
            "  {:,} users, {:,} organizations, {:,} memberships, {:,} events".format(*counts)
            + f" (seed {config.seed}, {seconds:.1f} s); {config.activity:g} events/s, held back {config.hold_back:g} s",
            f"  Seeded users sign in with {SEEDED_PASSWORD}. State: {url}/_sandbox   Mail: {url}/_sandbox/mailbox",
            f'  curl {header} "{url}/user_management/users?limit=2"',
            f'  curl {header} "{url}/events?events=user.created,user.updated&limit=2"',
        )
    )


if __name__ == "__main__":
    cli()
