"""Every setting, its default and its meaning; read from `USER_MANAGEMENT_*` variables and `.env`.

Only composition roots (`__main__`, `listener.__main__`, `cli`, `demo`, Alembic's `env.py`) read settings;
everything below them is handed values.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from user_management.errors import Misconfigured


def split(value: object) -> object:
    """A comma-separated list as a list; anything else unchanged."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def over_http(endpoint: str) -> str:
    """An OTLP endpoint; that of gRPC, which many have at hand, would answer nothing that we understand."""
    if endpoint.endswith(":4317"):
        raise ValueError("4317 is the port of OTLP over gRPC; give that of OTLP over HTTP, usually 4318")
    return endpoint


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Words = Annotated[list[str], NoDecode, BeforeValidator(split)]
Url = Annotated[str, BeforeValidator(lambda value: value.rstrip("/") if isinstance(value, str) else value)]


class Environment(StrEnum):
    """Where we run: `dev` is forgiving, `production` is not."""

    DEV = "dev"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Signal(StrEnum):
    """What is sent to the OTLP endpoint."""

    TRACES = "traces"
    METRICS = "metrics"


class Settings(BaseSettings):
    """The settings of every process; secrets never show in `repr`."""

    model_config = SettingsConfigDict(
        env_prefix="USER_MANAGEMENT_", env_file=".env", extra="ignore", env_ignore_empty=True
    )

    # WorkOS: whom we follow.
    workos_api_key: SecretStr = SecretStr("")
    workos_client_id: str = ""
    workos_base_url: Url = "https://api.workos.com"
    workos_timeout: Seconds = 30.0
    workos_webhook_secret: SecretStr = SecretStr("")
    workos_requests_per_minute: Annotated[int, Field(ge=60)] = 6000
    sandbox_url: Url = ""

    # PostgreSQL: where the copy lives.
    database_url: SecretStr = SecretStr("")
    database_pool_size: PositiveInt = 10

    # The API.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers_count: PositiveInt = 1
    reload: bool = False
    cors_origins: Words = []
    api_keys: SecretStr = SecretStr("")
    workos_issuers: Words = []
    rate_limit: Annotated[int, Field(ge=0)] = 60_000
    stale_after: Seconds = 30.0
    max_staleness: Seconds = 60.0

    # The listener.
    poll_interval: Seconds = 2.0
    lease_seconds: Seconds = 6.0
    backoff_max: Seconds = 60.0
    ignored_event_types: Words = []
    backfill_margin: Seconds = 600.0
    backfill_max_deletions: Annotated[int, Field(ge=0)] = 100
    verify_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    webhook_patience: Seconds = 60.0
    monitoring_port: Annotated[int, Field(ge=0, le=65535)] = 0

    # What operators see.
    environment: Environment = Environment.DEV
    log_level: LogLevel = LogLevel.INFO
    log_personal_data: bool = False
    opentelemetry_endpoint: Annotated[Url, AfterValidator(over_http)] = ""
    opentelemetry_signals: Annotated[frozenset[Signal], NoDecode, BeforeValidator(split)] = frozenset(Signal)
    opentelemetry_sampling: Annotated[float, Field(ge=0, le=1)] = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """The WorkOS environment that is followed; a sandbox is one with made-up people."""

    api_key: str = field(repr=False)
    client_id: str
    base_url: str
    sandbox: bool

    @property
    def name(self) -> str:
        """The source in one word."""
        return "sandbox" if self.sandbox else "workos"


MADE_UP = "made-up people; to follow the real WorkOS put USER_MANAGEMENT_WORKOS_API_KEY into .env and start again"
"""What to know of a sandbox that is followed."""


def load() -> Settings:
    """The settings of this process; `Misconfigured` names every variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"USER_MANAGEMENT_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise Misconfigured(wrong) from error


def database_url(settings: Settings) -> str:
    """The database's URL; `Misconfigured` when it is not set or is not a PostgreSQL URL."""
    url = settings.database_url.get_secret_value()
    if not url:
        raise Misconfigured(
            "USER_MANAGEMENT_DATABASE_URL is not set. Give it a PostgreSQL URL such as "
            "postgresql://user:password@host:5432/database, or run `make demo`, which brings its own PostgreSQL."
        )
    if not url.startswith(("postgresql:", "postgres:", "postgresql+asyncpg:")):
        raise Misconfigured(
            "USER_MANAGEMENT_DATABASE_URL is not a PostgreSQL URL: it must look like "
            "postgresql://user:password@host:5432/database (percent-encode odd characters of the password)."
        )
    return url


def source(settings: Settings) -> Source:
    """The WorkOS of our key or, without a key, the sandbox that stands in; `Misconfigured` when there is neither."""
    if settings.sandbox_url and not settings.workos_api_key.get_secret_value().strip():
        return Source("sk_sandbox", "client_sandbox", settings.sandbox_url, sandbox=True)
    return Source(workos_key(settings), settings.workos_client_id, settings.workos_base_url, sandbox=False)


def webhook_secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets that WorkOS may sign its webhooks with; none when webhooks are not received."""
    words = settings.workos_webhook_secret.get_secret_value().split(",")
    return tuple(word.strip() for word in words if word.strip())


def workos_key(settings: Settings) -> str:
    """The WorkOS API key; `Misconfigured` when it is not set or cannot be one."""
    key = settings.workos_api_key.get_secret_value().strip()
    if not key:
        raise Misconfigured(
            "USER_MANAGEMENT_WORKOS_API_KEY is not set. Put the key of your WorkOS environment (sk_…) there, "
            "or run `make demo`, which brings a local WorkOS."
        )
    if not key.isascii() or not key.isprintable():
        raise Misconfigured("USER_MANAGEMENT_WORKOS_API_KEY holds characters that no key has; copy it again.")
    return key
