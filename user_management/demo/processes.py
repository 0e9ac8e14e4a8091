"""Processes that must not outlive us: found by pid, recognised by their command line, stopped in order.

Standard library only: the guard imports nothing else.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

WORDS = {
    "listener": "user_management.listener",
    "api": "-m user_management",
    "sandbox": "user_management.sandbox",
    "postgres": "postgres",
}
"""What is started, in the order in which it is stopped, and what each is known by."""

PATIENCE = 10.0
"""Seconds a process has to leave after it was asked to."""

GLANCE = 0.05
"""Seconds between looks at whether it has left."""


def command_line(pid: int) -> str:
    """What a process was started with; nothing when it does not run."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "" if Path("/proc/self/cmdline").exists() else asked_of_ps(pid)


def asked_of_ps(pid: int) -> str:
    """The same where there is no `/proc`."""
    try:
        answer = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607  a number is no injection, and `ps` is where the system has it
    except OSError:
        return ""
    return answer.stdout.strip()


def runs(pid: int, word: str) -> bool:
    """Whether a process runs and its command line has `word` in it: a pid alone may be somebody else's by now."""
    return word in command_line(pid)


def stop(pid: int, word: str, *, ask: signal.Signals = signal.SIGTERM) -> bool:
    """Ask a process to leave, wait, and kill it and its group if it does not; False when it was not running."""
    if not runs(pid, word):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, ask)
    if not gone(pid, word, PATIENCE):
        kill(pid)
        gone(pid, word, PATIENCE)
    return True


def kill(pid: int) -> None:
    """Kill what is left of a process that leads a group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def gone(pid: int, word: str, seconds: float) -> bool:
    """Whether a process leaves within so many seconds."""
    until = time.monotonic() + seconds
    while runs(pid, word) and time.monotonic() < until:
        time.sleep(GLANCE)
    return not runs(pid, word)


def pid_in(file: Path) -> int | None:
    """The pid that a file begins with; None when there is none."""
    try:
        return int(file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def stop_all(folder: Path) -> list[str]:
    """Stop whatever a demo left running in its folder, in order; the names of what was stopped."""
    files = {name: folder / f"{name}.pid" for name in WORDS} | {"postgres": folder / "postgres" / "postmaster.pid"}
    stopped = []
    for name, file in files.items():
        pid = pid_in(file)
        # SIGINT is PostgreSQL's fast shutdown: it waits for nobody and leaves the data clean.
        if pid and stop(pid, WORDS[name], ask=signal.SIGINT if name == "postgres" else signal.SIGTERM):
            stopped.append(name)
        if name != "postgres":
            file.unlink(missing_ok=True)
    return stopped
