"""The demo's processes: each in a session of its own, with a log and a pid file, stopped in order."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from user_management.demo import processes, screen


@dataclass(slots=True)
class Children:
    """What was started, by name."""

    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str, environment: Mapping[str, str]) -> None:
        """Start `python …`; the terminal's Ctrl-C does not reach it."""
        with self.log(name).open("wb") as log:
            child = subprocess.Popen(  # noqa: S603  our own modules
                [sys.executable, *arguments], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        (self.folder / f"{name}.pid").write_text(f"{child.pid}\n")
        self.running[name] = child

    def log(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.folder / f"{name}.log"

    def pid(self, name: str) -> int:
        """A child's pid."""
        return self.running[name].pid

    def died(self) -> list[str]:
        """The children that have ended since we last asked; they are forgotten."""
        ended = [name for name, child in self.running.items() if child.poll() is not None]
        for name in ended:
            self.forget(name)
        return ended

    def forget(self, name: str) -> None:
        """End what is left of a child's group, and its pid file."""
        processes.kill(self.running.pop(name).pid)
        (self.folder / f"{name}.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop all of them: the listener, the API, then the sandbox they talk to."""
        for name in [name for name in processes.WORDS if name in self.running]:
            child = self.running[name]
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(processes.PATIENCE)
            self.forget(name)
            child.wait()
            screen.line(name, "stopped")


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Children]:
    """Children that are stopped at the end of the block."""
    children = Children(folder)
    try:
        yield children
    finally:
        children.stop()
