"""`healthcheck URL`: one line and an exit status."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from user_management.tests.deploy.conftest import DEPLOY, run


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """A server that always answers the same; its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer."""
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/ready"
        finally:
            server.shutdown()
            thread.join()


def asked(*arguments: str) -> tuple[int, str, str]:
    """The exit status, output and errors of a health check, in the way the image runs it."""
    done = run(sys.executable, "-IS", str(DEPLOY / "healthcheck.py"), *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("status", "body", "code", "line"),
    [
        (200, '{"status": "ready", "state": "live"}', 0, "200 live"),
        (503, '{"detail": "Not ready: stale.", "state": "stale"}', 1, "503 Not ready: stale."),
        (204, "", 1, "204"),
        (502, "<html>", 1, "502"),
        (500, "[1]", 1, "500"),
    ],
)
def test_what_is_answered_is_told(status: int, body: str, code: int, line: str) -> None:
    """Only 200 is healthy; the words are those of the answer."""
    with answering(status, body) as url:
        assert asked(url) == (code, f"{line}\n", "")


def test_no_answer_is_told() -> None:
    """Nobody listens: one line, no traceback."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        code, said, wrong = asked(f"http://127.0.0.1:{deaf.getsockname()[1]}/api/ready")
    assert (code, said.startswith("no answer: "), said.count("\n"), wrong) == (1, True, 1, "")


def test_without_a_url_it_says_how_it_is_used() -> None:
    """A usage line and a failure."""
    assert asked() == (1, "", "usage: healthcheck URL\n")
