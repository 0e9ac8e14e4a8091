"""Who must show a credential: everybody in production, and in development once there are keys."""

from pathlib import Path

import pytest

from user_management import settings
from user_management.__main__ import options
from user_management.errors import Misconfigured
from user_management.settings import Settings
from user_management.tests.support import processes
from user_management.tests.web.test_keys import made
from user_management.tests.web.test_process import run
from user_management.web.application import gate

ENTRY = made("billing")[1].entry


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The variables of an API before a real WorkOS, in a folder without `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"USER_MANAGEMENT_{name.upper()}", raising=False)
    monkeypatch.setenv("USER_MANAGEMENT_DATABASE_URL", "postgresql://db/app")
    monkeypatch.setenv("USER_MANAGEMENT_WORKOS_API_KEY", "sk_1")
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "is_open", "takes_tokens"),
    [
        ({}, True, False), ({"API_KEYS": ENTRY}, False, False), ({"WORKOS_CLIENT_ID": "client_1"}, True, True),
        ({"ENVIRONMENT": "production", "API_KEYS": ENTRY}, False, False),
        ({"ENVIRONMENT": "production", "WORKOS_CLIENT_ID": "client_1"}, False, True),
        ({"ENVIRONMENT": "production", "WORKOS_API_KEY": "", "SANDBOX_URL": "http://sandbox"}, True, True),
        ({"ENVIRONMENT": "production", "WORKOS_API_KEY": "", "SANDBOX_URL": "x", "API_KEYS": ENTRY}, False, True),
    ],
)  # fmt: skip
def test_who_must_show_a_credential(
    given: pytest.MonkeyPatch, variables: dict[str, str], is_open: bool, takes_tokens: bool
) -> None:
    """Nobody in development or before made-up people, until there are keys; everybody else."""
    for name, value in variables.items():
        given.setenv(f"USER_MANAGEMENT_{name}", value)
    found = gate(options(settings.load()))
    assert (found.open, found.tokens is not None) == (is_open, takes_tokens)


async def test_production_without_any_credential_is_refused(database_url: str) -> None:
    """One sentence that names the command and the settings, and exit status 2."""
    environment = processes.settings(database_url, "http://127.0.0.1:9", environment="production", workos_client_id="")
    status, said = await run(environment)
    assert (status, said.count("\n")) == (2, 1)
    assert all(word in said for word in ("user-management keys new", "_API_KEYS", "_WORKOS_CLIENT_ID"))


def test_a_wrong_key_refuses_to_start_in_development_too(given: pytest.MonkeyPatch) -> None:
    """An entry that nobody can use would leave the API open."""
    given.setenv("USER_MANAGEMENT_API_KEYS", "billing:read:hunter2")
    with pytest.raises(Misconfigured, match="billing") as raised:
        options(settings.load())
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("named", "issuers"),
    [
        ("", ["https://api.workos.com", "https://api.workos.com/user_management/client_1"]),
        ("https://auth.example.com/, https://api.workos.com", ["https://auth.example.com", "https://api.workos.com"]),
    ],
)
def test_issuers_are_those_of_workos_unless_named(given: pytest.MonkeyPatch, named: str, issuers: list[str]) -> None:
    """By default every form that WorkOS writes for our client; compared without a last slash."""
    given.setenv("USER_MANAGEMENT_WORKOS_CLIENT_ID", "client_1")
    given.setenv("USER_MANAGEMENT_WORKOS_ISSUERS", named)
    found = gate(options(settings.load())).tokens
    assert found is not None
    assert found.issuers >= set(issuers)
    assert (len(found.issuers) == len(issuers)) is bool(named)


def test_workers_share_the_limit(given: pytest.MonkeyPatch) -> None:
    """The setting is for all of them together."""
    given.setenv("USER_MANAGEMENT_RATE_LIMIT", "1000")
    given.setenv("USER_MANAGEMENT_WORKERS_COUNT", "4")
    assert options(settings.load()).rate_limit == 250
