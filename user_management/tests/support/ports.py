"""Ports for processes that must be told theirs."""

import os
import socket
from itertools import count

NUMBERS = count(10_000 + os.getpid() % 1_250 * 16)
"""Ports of this process alone, below those the system gives out by itself."""


def free() -> int:
    """A port that is free now, and that nobody else is given before it is used."""
    for port in NUMBERS:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError
