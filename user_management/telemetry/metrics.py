"""Metrics: everything this process counts, by its name. Counting is cheap, and free while nobody collects."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from user_management.telemetry.histograms import LONG_SECONDS, SIZES, Histogram

meter = metrics.get_meter("user_management")

requests = Histogram(
    "http.server.request.duration", "Duration of requests to the API.",
    labels=("http.request.method", "http.route", "http.response.status_code"),
)  # fmt: skip
calls = Histogram(
    "http.client.request.duration", "Duration of requests to WorkOS.",
    labels=("http.request.method", "url.template", "server.address", "http.response.status_code", "error.type"),
)  # fmt: skip
page_entries = Histogram(
    "user_management.page.entries", "New entries in each page that was recorded.",
    labels=("lane",), unit="{entry}", bounds=SIZES,
)  # fmt: skip
page_duration = Histogram(
    "user_management.page.duration", "Time to record a page, until it was committed.", labels=("lane",)
)
event_delay = Histogram(
    "user_management.event.delay", "Time from an event at WorkOS until it could be read here.",
    labels=(), bounds=LONG_SECONDS,
)  # fmt: skip
entries = meter.create_counter(
    "user_management.entries", "{entry}", "Entries of the journal, by lane, type and what became of them."
)
verified = meter.create_counter(
    "user_management.verified.objects", "{object}", "Objects held against WorkOS, by resource and how they stood."
)
event_parts = Histogram(
    "user_management.event.delay.part",
    "The same time in parts: held back at the source, waiting for our poll, fetched, applied.",
    labels=("part",), bounds=(0.005, 0.01, 0.025, 0.05, *LONG_SECONDS),
)  # fmt: skip
webhooks = meter.create_counter("user_management.webhooks", "{webhook}", "Webhooks that came, by what became of them.")
webhooks_missed = meter.create_counter(
    "user_management.webhooks.missed", "{event}", "Events that the feed brought before any webhook told of them."
)
webhooks_unconfirmed = meter.create_counter(
    "user_management.webhooks.unconfirmed", "{webhook}", "Webhooks whose event the feed did not bring in time."
)
writes = meter.create_counter(
    "user_management.writes", "{write}", "Writes asked of the API, by resource and what came of them."
)
retries = meter.create_counter(
    "user_management.retries", "{retry}", "Pieces of the listener's work that failed and are tried again."
)

throttled = meter.create_counter(
    "user_management.workos.throttled", "{wait}", "Waits for the request budget, by the priority that had to wait."
)


class BudgetUse(NamedTuple):
    """The request budget of all processes, as it was last seen: requests, tokens, the part of the pace, seconds."""

    used: float
    limit: int
    tokens: float
    pace: float
    blocked: float


class Budget:
    """Whoever shares a request budget says here how it stands."""

    seen: BudgetUse | None = None

    def show(self, name: str) -> Callable[[], Iterable[Observation]]:
        """Observe a part of it, once it was seen."""
        return lambda: [] if self.seen is None else [Observation(getattr(self.seen, name))]

    def used(self) -> Iterable[Observation]:
        """Observe what is used; nothing is known to be before the first look."""
        return [Observation(self.seen.used if self.seen else 0)]


budget = Budget()


class PoolUse(NamedTuple):
    """How the process's database connections are used right now."""

    used: int
    idle: int
    most: int
    waiting: int = 0


class Pool:
    """Whoever knows how the process's connections are used."""

    look: Callable[[], PoolUse] | None = None

    def count(self) -> Iterable[Observation]:
        """Connections by state."""
        use = self.look() if self.look else None
        key = "db.client.connection.state"
        return [Observation(use.used, {key: "used"}), Observation(use.idle, {key: "idle"})] if use else []

    def most(self) -> Iterable[Observation]:
        """The most connections there may be."""
        return [Observation(self.look().most)] if self.look else []

    def waiting(self) -> Iterable[Observation]:
        """Those who wait for one."""
        return [Observation(self.look().waiting)] if self.look else []


pool = Pool()


def gauge(name: str, description: str, read: Callable[[], Iterable[Observation]], *, unit: str = "") -> None:
    """Show what `read` observes whenever somebody looks; nothing while it observes nothing."""

    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return read()

    meter.create_observable_gauge(name, [observe], unit, description)


gauge("db.client.connection.count", "Connections to the database, by state.", pool.count, unit="{connection}")
gauge("db.client.connection.max", "The most connections this process opens.", pool.most, unit="{connection}")
gauge("db.client.connection.pending_requests", "Requests that wait for a connection.", pool.waiting, unit="{request}")
gauge("user_management.workos.budget.used", "Requests to WorkOS in the last minute, of all our processes.",
      budget.used, unit="{request}")  # fmt: skip
gauge("user_management.workos.budget.limit", "Requests a minute WorkOS allows to all who use our API key.",
      budget.show("limit"), unit="{request}")  # fmt: skip
gauge("user_management.workos.budget.tokens", "Requests that may be sent at once, of all our processes.",
      budget.show("tokens"), unit="{request}")  # fmt: skip
gauge("user_management.workos.budget.pace", "Part of the full pace at which the budget fills; each 429 halves it.",
      budget.show("pace"))  # fmt: skip
gauge("user_management.workos.budget.blocked", "Seconds for which a 429 still makes all our processes stand still.",
      budget.show("blocked"), unit="s")  # fmt: skip
