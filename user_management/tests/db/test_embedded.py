"""The embedded PostgreSQL, on a machine that has other things to do."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from user_management.db import embedded


@dataclass
class Slow:
    """The wheel's server, on a machine where PostgreSQL is up only after the wheel has given up."""

    pgdata: Path
    starts: int = 0

    def start(self) -> None:
        """Give up the first time."""
        self.starts += 1
        if self.starts == 1:
            (self.pgdata / "postmaster.pid").write_text("4711\nready   \n")
            raise subprocess.TimeoutExpired("pg_ctl", 10)


def test_a_server_that_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    """Once it answers, the wheel is asked again, and finds it running."""
    slow = Slow(tmp_path)
    embedded.start(slow)
    assert slow.starts == 2
