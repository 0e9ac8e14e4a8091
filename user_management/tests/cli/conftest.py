from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from user_management.cli import app, edge

Run = Callable[..., Result]
"""Runs a command of the operator's."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, database_url: str) -> Run:
    """Commands against the test's database, on a wide terminal."""
    monkeypatch.setenv("USER_MANAGEMENT_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(edge.out, "width", 200)  # which it took from the terminal when it was made
    return lambda *arguments: CliRunner().invoke(app, arguments)
