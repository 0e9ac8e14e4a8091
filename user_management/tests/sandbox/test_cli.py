import re
import signal
import socket
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from user_management.sandbox.__main__ import cli
from user_management.sandbox.faults import NAMES
from user_management.tests.support.waiting import PATIENCE


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(end: signal.Signals) -> None:
    """It says where it is and what it holds, and leaves when it is told to, without a traceback, though busy."""
    options = ["--port", "0", "--users", "100", "--activity", "500"]
    command = [sys.executable, "-m", "user_management.sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - our own module
        assert process.stdout is not None
        banner = [process.stdout.readline() for _ in range(5)]
        process.send_signal(end)
        rest = process.stdout.read()
        process.wait(PATIENCE)
    assert re.search(r" at http://127.0.0.1:\d+   key sk_sandbox ", banner[0])
    assert banner[1].startswith("  100 users, 2 organizations")
    assert (rest, process.returncode) == ("", 0)


def test_nobody_waits_for_cryptography() -> None:
    """It is there when the first token is signed, not before: a start stays quick."""
    code = "import sys, user_management.sandbox.__main__; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own words


def test_help_names_every_fault() -> None:
    """What can be asked for is in --help."""
    text = CliRunner().invoke(cli, ["--help"], env={"COLUMNS": "200"}).output
    assert all(name in text for name in NAMES)


def test_a_taken_port_is_explained() -> None:
    """Somebody else's port is a usage error, told before any seeding."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        result = CliRunner().invoke(cli, ["--port", port, "--users", "1000000"])
    assert (result.exit_code, "Address already in use" in result.output) == (2, True)


@pytest.mark.parametrize("fault", ["gremlin=1", "500", "500=often", "500=2"])
def test_a_wrong_fault_is_explained(fault: str) -> None:
    """A wrong name or share ends with a usage error that says what is right."""
    result = CliRunner().invoke(cli, ["--fault", fault])
    assert result.exit_code == 2
    assert "--fault" in result.output
