"""Settings: read from the environment and `.env`, refused by name, and silent about secrets."""

import re
from pathlib import Path

import pytest

from user_management import settings
from user_management.errors import Misconfigured
from user_management.settings import Environment, LogLevel, Settings

PREFIX = "USER_MANAGEMENT_"
EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no variable of ours from the machine the tests run on."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def given(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    """The settings of a process with these variables."""
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name.upper(), value)
    return settings.load()


def test_without_anything_there_are_defaults() -> None:
    """Nothing need be set: the real WorkOS, this machine only, and no secret."""
    loaded = settings.load()
    assert (loaded.workos_base_url, loaded.host, loaded.port) == ("https://api.workos.com", "127.0.0.1", 8000)
    assert (loaded.environment, loaded.log_level) == (Environment.DEV, LogLevel.INFO)
    assert (loaded.workos_api_key.get_secret_value(), loaded.database_url.get_secret_value()) == ("", "")


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text becomes numbers, choices and lists; a base URL loses its last slash."""
    loaded = given(
        monkeypatch, port="9000", environment="production", log_level="debug", reload="true", poll_interval="0.5",
        workos_base_url="http://127.0.0.1:8100/", cors_origins=" https://a.test, https://b.test,",
    )  # fmt: skip
    assert (loaded.port, loaded.environment, loaded.log_level) == (9000, "production", "debug")
    assert (loaded.reload, loaded.poll_interval) == (True, 0.5)
    assert loaded.workos_base_url == "http://127.0.0.1:8100"
    assert loaded.cors_origins == ["https://a.test", "https://b.test"]


def test_a_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` in the working directory is read too; what else stands in it is somebody else's."""
    lines = [
        "PORT=9000", "HOST='0.0.0.0'  # everywhere", "WORKOS_API_KEY=sk_1", "NO_SUCH_SETTING=1",
        "DATABASE_URL=postgresql://a:p%40%23@db/app?sslmode=require",
    ]  # fmt: skip
    (tmp_path / ".env").write_text("OTHER=1\n" + "\n".join(PREFIX + line for line in lines))
    loaded = given(monkeypatch, port="9001")
    assert (loaded.port, loaded.host) == (9001, "0.0.0.0")  # noqa: S104  what was written
    assert settings.workos_key(loaded) == "sk_1"
    assert settings.database_url(loaded) == "postgresql://a:p%40%23@db/app?sslmode=require"


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_value_is_unset(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line left empty in `.env`, or an empty variable of a container, means the default."""
    (tmp_path / ".env").write_text(f"{PREFIX}{name.upper()}=\n")
    default = Settings.model_fields[name].default
    assert getattr(settings.load(), name) == default
    assert getattr(given(monkeypatch, **{name: ""}), name) == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "http"), ("port", "-1"), ("port", "65536"), ("workers_count", "0"), ("database_pool_size", "0"),
        ("poll_interval", "0"), ("poll_interval", "-1"), ("lease_seconds", "soon"), ("stale_after", "nan"),
        ("workos_timeout", "0"), ("environment", "staging"), ("log_level", "loud"), ("reload", "perhaps"),
        ("backfill_max_deletions", "-1"), ("backoff_max", "0"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable as the operator wrote it, and every wrong one at once."""
    with pytest.raises(Misconfigured, match=f"{PREFIX}{name.upper()}: ") as raised:
        given(monkeypatch, **{"workers_count": "none", name: value})
    assert f"{PREFIX}WORKERS_COUNT: " in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("endless", ["inf", "1e999"])
@pytest.mark.parametrize("name", ["workos_timeout", "poll_interval", "lease_seconds", "backoff_max", "stale_after"])
def test_for_ever_is_no_time(name: str, endless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time that no clock reaches is refused where it is read, and not by what waits for it."""
    with pytest.raises(Misconfigured, match=PREFIX + name.upper()):
        given(monkeypatch, **{name: endless})


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `repr` nor a dump tells the key or the password."""
    loaded = given(monkeypatch, workos_api_key="sk_hunter2", database_url="postgresql://ada:hunter2@db/app")
    assert "hunter2" not in f"{loaded!r} {loaded} {loaded.model_dump()} {loaded.model_dump_json()}"


def test_a_refusal_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """When something else is wrong, the error does not show what was right."""
    with pytest.raises(Misconfigured) as raised:
        given(monkeypatch, workos_api_key="sk_hunter2", database_url="postgresql://a:hunter2@db/app", port="x")
    assert "hunter2" not in f"{raised.value} {raised.value.__cause__}"


def test_a_database_must_be_named() -> None:
    """Without a database the sentence says what to set, and what to run to try it without one."""
    with pytest.raises(Misconfigured, match=r"USER_MANAGEMENT_DATABASE_URL is not set.*postgresql://.*make demo"):
        settings.database_url(settings.load())


@pytest.mark.parametrize("url", ["mysql://ada:hunter2@db/app", "sqlite:///app", "ada:hunter2@db/app", "postgresqlx://"])
def test_a_database_must_be_postgresql(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other URL is refused without repeating it."""
    with pytest.raises(Misconfigured, match="USER_MANAGEMENT_DATABASE_URL is not a PostgreSQL URL") as raised:
        settings.database_url(given(monkeypatch, database_url=url))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_form_of_postgresql_will_do(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL is passed on as it was written."""
    url = f"{scheme}://ada:p%25@/app?host=/run/postgresql"
    assert settings.database_url(given(monkeypatch, database_url=url)) == url


def test_a_key_must_be_given() -> None:
    """Without a key the sentence says what to set, and what to run to try it without one."""
    with pytest.raises(Misconfigured, match=r"USER_MANAGEMENT_WORKOS_API_KEY is not set.*make demo"):
        settings.workos_key(settings.load())


@pytest.mark.parametrize("written", ["sk_1", "sk_1\n", " sk_1\r\n", "\tsk_1 "])
def test_a_key_is_read_without_the_space_around_it(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key copied from a file ends with a line break, which no header may hold."""
    assert settings.workos_key(given(monkeypatch, workos_api_key=written)) == "sk_1"


@pytest.mark.parametrize("key", ["sk_…", "sk_hunter2\nsk_3", "sk_\x7fhunter2", "„sk_hunter2“"])
def test_what_cannot_be_a_key_is_refused(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key no header can carry would be refused with its own text in the error."""
    with pytest.raises(Misconfigured, match="USER_MANAGEMENT_WORKOS_API_KEY") as raised:
        settings.workos_key(given(monkeypatch, workos_api_key=key))
    assert "hunter2" not in str(raised.value)


def test_a_key_of_blanks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blanks are no key."""
    with pytest.raises(Misconfigured, match="is not set"):
        settings.workos_key(given(monkeypatch, workos_api_key=" \n"))


SANDBOX = "http://127.0.0.1:4100"


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_without_a_key_a_sandbox_stands_in(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is followed under its own address and with its own key."""
    found = settings.source(given(monkeypatch, workos_api_key=key, sandbox_url=f"{SANDBOX}/"))
    assert (found.name, found.base_url, found.api_key) == ("sandbox", SANDBOX, "sk_sandbox")


def test_with_a_key_no_sandbox_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives a key follows what they named, and nothing is called a sandbox, wherever it is."""
    found = settings.source(given(monkeypatch, workos_api_key="sk_1", sandbox_url="http://b", workos_base_url=SANDBOX))
    assert (found.name, found.base_url, found.api_key) == ("workos", SANDBOX, "sk_1")
    assert "sk_1" not in repr(found)


def test_without_either_there_is_nothing_to_follow() -> None:
    """The sentence names the key."""
    with pytest.raises(Misconfigured, match="USER_MANAGEMENT_WORKOS_API_KEY is not set"):
        settings.source(settings.load())


def test_there_are_few_settings() -> None:
    """Whoever operates this reads all of them."""
    assert len(Settings.model_fields) < 40


def test_every_setting_is_documented() -> None:
    """`.env.example` names every setting, and none that does not exist."""
    documented = set(re.findall(rf"{PREFIX}([A-Z_]+)=", EXAMPLE.read_text()))
    assert documented == {name.upper() for name in Settings.model_fields}
