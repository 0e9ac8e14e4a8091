"""Which WorkOS the demo copies: the real one when there is a key, else a local one; and the ports they take."""

import asyncio
import socket

from user_management import settings as configuration
from user_management.demo import screen
from user_management.errors import Misconfigured, Wait
from user_management.services.workos import client, objects
from user_management.settings import Settings, Source

TRIES = 50
"""How many ports are tried, from the wanted one on."""


def choose(settings: Settings, sandbox_port: int) -> Source:
    """The environment of the configured key, else a sandbox of the demo's own on the first free port."""
    if settings.workos_api_key.get_secret_value().strip():
        return configuration.source(settings)
    port = first_free("127.0.0.1", sandbox_port)
    if port != sandbox_port:
        screen.note(f"Port {sandbox_port} is in use; the local WorkOS takes {port}.")
    return configuration.source(settings.model_copy(update={"sandbox_url": f"http://127.0.0.1:{port}"}))


def api_port(settings: Settings) -> int:
    """The port of the API: the configured one and no other, or the first free one from the default on."""
    wanted = settings.port
    if wanted and free(settings.host, wanted):
        return wanted
    if wanted and "port" in settings.model_fields_set:
        raise Misconfigured(f"Port {wanted} is in use: set USER_MANAGEMENT_PORT to another one, or free it.")
    port = first_free(settings.host, wanted)
    if wanted:
        screen.note(f"Port {wanted} is in use; the API takes {port}.")
    return port


def first_free(host: str, port: int) -> int:
    """The first free port from `port` on; any for 0. `Misconfigured` when none of many is."""
    if port == 0:
        with socket.create_server((host, 0)) as taken:
            return int(taken.getsockname()[1])
    for candidate in range(port, min(port + TRIES, 65536)):
        if free(host, candidate):
            return candidate
    raise Misconfigured(f"No port from {port} on is free: name another with --sandbox-port or USER_MANAGEMENT_PORT.")


def free(host: str, port: int) -> bool:
    """Whether nothing answers on a port and we can listen there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as caller:
        caller.settimeout(1)
        if caller.connect_ex((reachable(host), port)) == 0:
            return False
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError:
        return False
    return True


def reachable(host: str) -> str:
    """The host under which somebody on this machine reaches what listens there."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound


async def try_key(source: Source, seconds: float) -> None:
    """`Misconfigured` when WorkOS refuses the key; when it is only away, the listener waits for it."""
    connecting = client.connect(
        api_key=source.api_key, client_id=source.client_id, base_url=source.base_url, seconds=seconds
    )
    async with connecting as workos:
        try:
            await objects.page(workos, ("user_management", "users"), after="", parameters={})
        except Wait as error:
            screen.note(f"{error}; the listener waits for it.")


def check(source: Source, seconds: float) -> None:
    """Say which WorkOS is copied, once its key is known to be good."""
    asyncio.run(try_key(source, seconds))
    screen.line("WorkOS", source.base_url)
