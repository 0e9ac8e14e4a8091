"""The load generator: a process of its own that does nothing but send requests and watch the clock.

It keeps its connections alive, parses no more of an answer than its status and its length, and takes turns between
its targets, round after round, so that whatever else the machine is doing falls on all of them alike.
"""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import uvloop

from bench.figures import median, percentile
from bench.processes import ROOT

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "
OK = b"HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class Target:
    """A server and the paths that are asked of it in turn."""

    name: str
    url: str
    paths: list[str]


@dataclass(frozen=True, slots=True)
class Load:
    """How hard and how long: so many connections, each with one request under way, for so many rounds of seconds."""

    connections: int
    seconds: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Answered:
    """How a target answered: requests per second (the middle of the rounds), and seconds until the answer was there."""

    rate: float
    p50: float
    p99: float
    count: int


class Client(asyncio.Protocol):
    """One connection: sends a request, waits for the whole answer, sends the next, until its time is over."""

    def __init__(self, requests: Iterator[bytes], until: float, latencies: list[float]) -> None:
        self.requests, self.until, self.latencies = requests, until, latencies
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received, self.wanted, self.sent = b"", 0, 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.send()

    def send(self) -> None:
        """Send the next request, or end."""
        self.sent = perf_counter()
        if self.sent < self.until:
            self.transport.write(next(self.requests))
        else:
            self.finish()

    def data_received(self, data: bytes) -> None:
        """Collect the answer; note how long it took once it is whole."""
        self.received = self.received + data if self.received else data
        if not self.wanted:
            self.wanted = size(self.received)
        if self.wanted and len(self.received) >= self.wanted:
            self.latencies.append(perf_counter() - self.sent)
            if not self.received.startswith(OK):
                self.finish(RuntimeError(f"unexpected answer: {self.received[:300]!r}"))
                return
            self.received, self.wanted = b"", 0
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that hangs up while it is asked is an error."""
        self.finish(exc or RuntimeError("the server hung up"))

    def finish(self, error: Exception | None = None) -> None:
        """Close, and say so once."""
        self.transport.close()
        if not self.done.done():
            self.done.set_exception(error) if error else self.done.set_result(None)


def size(received: bytes) -> int:
    """The length of a whole answer; 0 while its head is not complete."""
    end = received.find(HEAD_END)
    if end < 0:
        return 0
    start = received.index(LENGTH) + len(LENGTH)
    return end + len(HEAD_END) + int(received[start : received.index(b"\r", start)])


def requests(target: Target) -> Iterator[bytes]:
    """The requests of a target, again and again."""
    host = urlsplit(target.url).netloc
    return cycle([f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in target.paths])


async def press(target: Target, wanted: Iterator[bytes], connections: int, seconds: float) -> tuple[float, list[float]]:
    """One round: answers per second, and how long each took."""
    place, latencies = urlsplit(target.url), list[float]()
    loop, started = asyncio.get_running_loop(), perf_counter()
    clients = [
        (await loop.create_connection(
            lambda: Client(wanted, started + seconds, latencies), place.hostname or "", place.port or 80,
        ))[1]
        for _ in range(connections)
    ]  # fmt: skip
    await asyncio.gather(*(client.done for client in clients))
    return len(latencies) / (perf_counter() - started), latencies


async def alternate(targets: Sequence[Target], load: Load) -> dict[str, Answered]:
    """Every target in every round, in an order that changes, after one short round that does not count."""
    wanted = {target.name: requests(target) for target in targets}
    rates: dict[str, list[float]] = {target.name: [] for target in targets}
    latencies: dict[str, list[float]] = {target.name: [] for target in targets}
    for target in targets:
        await press(target, wanted[target.name], load.connections, min(0.5, load.seconds))
    for _ in range(load.rounds):
        for target in random.sample(targets, len(targets)):
            rate, found = await press(target, wanted[target.name], load.connections, load.seconds)
            rates[target.name].append(rate)
            latencies[target.name] += found
    return {
        name: Answered(median(rates[name]), percentile(found, 0.5), percentile(found, 0.99), len(found))
        for name, found in latencies.items()
    }


async def run(targets: Sequence[Target], load: Load) -> dict[str, Answered]:
    """The same, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    asked = json.dumps({"targets": [asdict(target) for target in targets], "load": asdict(load)})
    try:
        async with asyncio.timeout(60 + 2 * load.seconds * load.rounds * len(targets)):
            out, _ = await process.communicate(asked.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError("the load generator failed")
    return {name: Answered(**found) for name, found in json.loads(out).items()}


def main() -> None:
    """Read what to do from standard input, write what was measured to standard output."""
    asked = json.load(sys.stdin)
    targets = [Target(**target) for target in asked["targets"]]
    found = uvloop.run(alternate(targets, Load(**asked["load"])))
    json.dump({name: asdict(answered) for name, answered in found.items()}, sys.stdout)


if __name__ == "__main__":
    main()
