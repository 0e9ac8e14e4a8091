"""How operators make keys."""

import pytest

from user_management.tests.cli.conftest import Run
from user_management.web.credentials import keys
from user_management.web.scopes import Scope


def test_a_key_is_shown_once_and_fits_its_entry(run: Run) -> None:
    """Two lines to take away: the key, and the entry that knows it."""
    result = run("keys", "new", "--name", "billing", "--scope", "write")
    secret, entry = result.stdout.splitlines()
    (key,) = keys.parsed(entry)
    assert (result.exit_code, key.name, key.scope) == (0, "billing", Scope.WRITE)
    assert keys.known([key], secret.encode()) is key
    assert secret not in entry + result.stderr
    assert "USER_MANAGEMENT_API_KEYS" in result.stderr


def test_a_key_may_read_unless_told_otherwise(run: Run) -> None:
    """The smallest scope is the default."""
    assert run("keys", "new", "--name", "billing").stdout.splitlines()[1].startswith("billing:read:")


@pytest.mark.parametrize("arguments", [("--name", "a:b"), ("--name", "a,b"), ("--name", ""), ("--name", "umk_x"), (),
                                       ("--name", "a", "--scope", "public")])  # fmt: skip
def test_what_cannot_be_a_name_or_a_scope_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    """The settings could not be read with it; no key is made."""
    result = run("keys", "new", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
