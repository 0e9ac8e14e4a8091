"""What the demo decides before it starts anything."""

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from user_management import settings as configuration
from user_management.db.session import Pool
from user_management.demo import database, folder, source, story
from user_management.errors import Misconfigured
from user_management.settings import Settings, Source

LOCAL = Source("sk_sandbox", "client_sandbox", "http://127.0.0.1:4100", sandbox=True)


def settings(**values: object) -> Settings:
    """Settings that no file has a part in."""
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]  # pydantic-settings' own parameters


def test_without_a_key_it_is_the_local_workos() -> None:
    """A key decides, and nothing else does: not even a sandbox that somebody else brings."""
    assert source.choose(settings(), 0).sandbox
    assert source.choose(settings(sandbox_url="http://theirs"), 0).base_url.startswith("http://127.0.0.1:")
    assert not source.choose(settings(workos_api_key=SecretStr("sk_test"), sandbox_url="http://theirs"), 0).sandbox


@pytest.mark.parametrize("chosen", [LOCAL, Source("sk_1", "client_1", "http://a", sandbox=False)])
def test_its_processes_follow_what_was_chosen(chosen: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those started later in a second terminal, when a key stands in `.env` by then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("USER_MANAGEMENT_WORKOS_API_KEY=sk_later\nUSER_MANAGEMENT_SANDBOX_URL=http://b\n")
    for name, value in story.variables("postgresql://", chosen, "127.0.0.1", 8000).items():
        monkeypatch.setenv(name, value)
    assert configuration.source(configuration.load()) == chosen


def test_each_environment_has_a_database_of_its_own() -> None:
    """Two keys, or two base URLs, never share a copy."""
    real = [Source(key, "", url, sandbox=False) for key in ("sk_1", "sk_2") for url in ("http://a", "http://b")]
    names = {database.name_for(one) for one in [LOCAL, *real]}
    assert len(names) == 5
    assert database.name_for(LOCAL) == "sandbox"


def test_a_configured_port_that_is_taken_is_one_sentence() -> None:
    """Who asked for a port is told, and not given another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match="USER_MANAGEMENT_PORT"):
            source.api_port(settings(port=port))
        assert source.first_free("127.0.0.1", port) > port


def test_an_odd_path_is_avoided(tmp_path: Path) -> None:
    """PostgreSQL's start script quotes nothing, so its data does not lie under a path with spaces."""
    assert folder.choose(tmp_path / "a b") != tmp_path / "a b"
    assert folder.choose(tmp_path / "ab") == tmp_path / "ab"


async def test_a_given_database_must_be_empty_for_the_sandbox(database_url: str, pool: Pool) -> None:
    """Made-up people are never mixed into a copy of real ones."""
    await database.check_given(database_url, LOCAL)
    await pool.execute(
        "INSERT INTO journal (position, lane, type, occurred_at, verdict, body) "
        "VALUES (1, 'list', 'user.listed', now(), 'applied', '{}')"
    )
    with pytest.raises(Misconfigured, match="mix made-up people"):
        await database.check_given(database_url, LOCAL)


async def test_a_database_of_somebody_elses_is_refused(server: str, database_url: str, pool: Pool) -> None:
    """Tables that are not ours stay as they are."""
    await pool.execute("UPDATE alembic_version SET version_num = 'theirs'")
    with pytest.raises(Misconfigured, match="not this project's"):
        await database.migrate(database_url)
