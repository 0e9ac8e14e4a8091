"""A network that can break: a TCP proxy whose connections can be cut, hung and slowed."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

LINGER = struct.pack("ii", 1, 0)
"""Closing resets the connection, as a firewall does that has forgotten it."""


class Proxy:
    """What stands between two processes: `port` is where it listens, for a server at `target` of this machine."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self.target = port, target
        self.delay = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.writers: set[StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        """Forward while the block lasts."""
        server = await asyncio.start_server(self.connected, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            self.open.set()
            self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self.writers:
            raw = writer.get_extra_info("socket")
            with suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            writer.transport.abort()

    def calm(self) -> None:
        """Forward at once again."""
        self.delay = 0.0
        self.open.set()

    async def connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection to its end."""
        self.writers.add(writer)
        try:
            await self.open.wait()
            there, away = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self.drop(writer)
            return
        self.writers.add(away)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self.forward(reader, away))
                both.create_task(self.forward(there, writer))
        except* OSError:
            pass
        finally:
            self.drop(writer)
            self.drop(away)

    def drop(self, writer: StreamWriter) -> None:
        """Forget a connection."""
        self.writers.discard(writer)
        writer.close()

    async def forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass on what comes, as fast as the network is now; the end of one side ends both."""
        while piece := await reader.read(65536):
            if self.delay:
                await asyncio.sleep(self.delay)
            await self.open.wait()
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError
