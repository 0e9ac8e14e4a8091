"""The demo's folder: one demo at a time, watched by a guard, on a path PostgreSQL can live with."""

import contextlib
import fcntl
import hashlib
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from user_management.demo import guard, processes, screen
from user_management.errors import Conflict

PLAIN = re.compile(r"[\w./+-]+")
"""Paths that can stand unquoted in a shell's words and in a URL: PostgreSQL's start script quotes nothing."""

PATIENCE = 30.0
"""Seconds to wait for the guard of an earlier demo, which may be stopping it just now."""


class AlreadyRunning(Conflict):
    """Another demo uses this folder."""


def choose(wanted: Path) -> Path:
    """The folder asked for, or one like it where its path has spaces or other odd characters."""
    wanted = wanted.resolve()
    if PLAIN.fullmatch(str(wanted)):
        return wanted
    digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:10]
    chosen = Path(tempfile.gettempdir()).resolve() / f"user-management-demo-{digest}"
    screen.note(f"PostgreSQL cannot live in {wanted} (odd characters in the path); using {chosen}.")
    return chosen


def closed(folder: Path) -> list[Path]:
    """The folders above one that only their owner can enter."""
    return [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]


def warn(folder: Path) -> None:
    """Say what PostgreSQL needs when we are root: it runs as a user of its own, who must get to its data."""
    if os.geteuid() == 0 and (shut := closed(folder)):
        names = ", ".join(map(str, reversed(shut)))
        screen.note(
            f"PostgreSQL refuses to run as root, so it runs as the user pgserver; opening {names} (o+rx) for it."
        )


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other demos out of the folder, stop what an earlier one left, and have a guard stop us if we are killed."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        take(lock, folder)
        if left := processes.stop_all(folder):
            screen.note(f"Stopped what an earlier demo had left running: {', '.join(left)}.")
        with guarded(folder, lock):
            yield


def take(lock: IO[str], folder: Path) -> None:
    """Take the lock of a folder, waiting for the guard of a demo that was killed; `AlreadyRunning` if one is alive."""
    until = time.monotonic() + PATIENCE
    while not free(lock):
        pid = processes.pid_in(folder / "demo.pid")
        if time.monotonic() > until or (pid and processes.runs(pid, "user_management.demo")):
            raise AlreadyRunning(
                f"A demo (pid {pid}) already runs in {folder}; stop it first (Ctrl-C in its terminal)."
            )
        time.sleep(0.2)
    (folder / "demo.pid").write_text(f"{os.getpid()}\n")


def free(lock: IO[str]) -> bool:
    """Whether the lock was free, and now is ours."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def guarded(folder: Path, lock: IO[str]) -> Iterator[None]:
    """Have a guard that stops everything when we end without leaving this block."""
    command = [sys.executable, "-m", guard.__name__, str(folder)]
    with subprocess.Popen(  # noqa: S603  our own module
        command, stdin=subprocess.PIPE, pass_fds=(lock.fileno(),), start_new_session=True, text=True
    ) as process:
        try:
            yield
        finally:
            process.communicate(guard.LEFT_IN_ORDER)
