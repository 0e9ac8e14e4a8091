"""The exposition: metrics as Prometheus text, of every process that serves one port, whichever of them is asked.

Worker processes share a port, so a scrape reaches any of them. Each listens on a socket in a folder they share and
tells there what it counted; the one that was asked asks the others. Every sample names its process, so that a worker
that ends takes its own series with it and no counter ever falls.
"""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from prometheus_client import generate_latest

from user_management.telemetry.readers import registry

log = structlog.get_logger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FOLDER = "USER_MANAGEMENT_WORKERS_FOLDER"
"""Where workers meet; set by the process that starts them, for nobody else."""
PATIENCE = 1.0
"""Seconds a worker has to answer another."""

END = "# EOF\n"
"""What a worker says last, so that half a text is not taken for a whole one."""

SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")


def folder() -> Path | None:
    """Where this process meets the other workers; None when it is the only one."""
    return Path(os.environ[FOLDER]) if FOLDER in os.environ else None


@contextmanager
def meeting_place(workers: int) -> Iterator[None]:
    """A folder for worker processes to meet in, for those started within the block."""
    if workers == 1:
        yield
        return
    with TemporaryDirectory(prefix="user-management-") as path:
        os.environ[FOLDER] = path
        yield


def instance() -> str:
    """This process among all: its host and its number there."""
    return f"{socket.gethostname()}:{os.getpid()}"


def labelled(text: str, name: str) -> str:
    """The text with the process's name on every sample."""
    return "\n".join(line if line.startswith("#") else with_label(line, name) for line in text.splitlines())


def with_label(line: str, name: str) -> str:
    """A sample with the process's name."""
    found = SAMPLE.match(line)
    if found is None or 'service_instance_id="' in line:
        return line
    labels = f"{found['labels']}," if found["labels"] else ""
    return f'{found["name"]}{{{labels}service_instance_id="{name}"}} {found["value"]}'


def own() -> str:
    """What this process counted."""
    return labelled(generate_latest(registry).decode(), instance())


def families(text: str) -> dict[str, list[str]]:
    """The lines of a text by the metric they belong to, in order."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
        found.setdefault(name, []).append(line)
    return found


def merged(texts: list[str]) -> str:
    """Several processes' texts as one: each metric once, with the samples of all."""
    found: dict[str, list[str]] = {}
    for text in texts:
        for name, lines in families(text).items():
            known = found.get(name)
            found[name] = lines if known is None else known + [line for line in lines if not line.startswith("#")]
    return "\n".join(line for lines in found.values() for line in lines) + "\n"


@asynccontextmanager
async def shared(place: Path | None) -> AsyncIterator[None]:
    """Answer the other workers for the length of the block, if there are others."""
    if place is None:
        yield
        return
    path = place / f"{os.getpid()}.sock"
    try:
        server = await asyncio.start_unix_server(tell, path)
    except OSError as error:  # the folder's name is too long for a socket's, say
        log.warning("metrics.apart", error=str(error), hint="each scrape tells of one worker only; set TMPDIR")
        yield
        return
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell another worker what this one counted."""
    with suppress(ConnectionError):
        writer.write(f"{own()}\n{END}".encode())
        await writer.drain()
    writer.close()


async def ask(path: Path) -> str:
    """What another worker counted; nothing when it is no more, or ends before it has told everything."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                text = (await reader.read()).decode()
            finally:
                writer.close()
    except OSError:  # it is no more, or too busy to answer now; TimeoutError is one of these
        return ""
    return text.removesuffix(END) if text.endswith(END) else ""


async def everything(place: Path | None) -> str:
    """What all workers counted."""
    return merged([own(), *await asyncio.gather(*map(ask, others(place)))])


def others(place: Path | None) -> list[Path]:
    """The sockets of the other workers."""
    mine = f"{os.getpid()}.sock"
    return [path for path in sorted(place.glob("*.sock")) if path.name != mine] if place else []
