"""What operators are given: each alert has its section, each query its metrics, each line of the log its meaning."""

import ast
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

import user_management
from user_management.cli import app
from user_management.settings import Settings

PACKAGE = Path(user_management.__path__[0])
PROMETHEUS, GRAFANA = PACKAGE.parent / "deploy/prometheus", PACKAGE.parent / "deploy/grafana/dashboards"
PAGE = (PACKAGE.parent / "docs/operations.md").read_text()

LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
ELSEWHERE = {"tests", "demo", "sandbox"}
"""What does not log, or not for operators."""

GAUGES_AND_COUNTERS = """
    db_client_connection_count db_client_connection_max db_client_connection_pending_requests
    process_cpu_seconds_total process_max_fds process_open_fds process_resident_memory_bytes process_start_time_seconds
    process_virtual_memory_bytes
    python_gc_collections_total python_gc_objects_collected_total python_gc_objects_uncollectable_total
    user_management_backfill_changed user_management_backfill_deletions_capped user_management_backfill_listed
    user_management_backfill_left_out user_management_backfill_running
    user_management_cursor_age_seconds user_management_database_up user_management_entries_total
    user_management_failures_parked user_management_journal_position user_management_listener_leading
    user_management_replica_age_seconds user_management_replica_state user_management_retries_total
    user_management_verified_age_seconds user_management_verified_objects_total
    user_management_webhooks_missed_total user_management_webhooks_pending user_management_webhooks_total
    user_management_webhooks_unconfirmed_total
    user_management_workos_budget_blocked_seconds user_management_workos_budget_limit
    user_management_workos_budget_pace user_management_workos_budget_tokens user_management_workos_budget_used
    user_management_workos_throttled_total user_management_writes_total
""".split()
HISTOGRAMS = """
    http_client_request_duration_seconds http_server_request_duration_seconds
    user_management_event_delay_part_seconds user_management_event_delay_seconds
    user_management_page_duration_seconds user_management_page_entries
""".split()
METRICS = frozenset(GAUGES_AND_COUNTERS) | {
    f"{name}_{end}" for name in HISTOGRAMS for end in ("bucket", "count", "sum")
}
"""What the API and the listener show at /metrics."""

STRING, SELECTOR = re.compile(r'"[^"]*"'), re.compile(r"\{[^}]*\}|\[[^]]*\]")
GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
NAME = re.compile(r"\b[a-zA-Z_][\w:]*+(?!\s*\()")
OPERATORS = {"and", "or", "unless", "offset", "bool"}


def metrics_in(expression: str) -> set[str]:
    """The metrics a PromQL expression asks for: what is left when labels, ranges, functions and operators are gone."""
    bare = GROUPING.sub(" ", SELECTOR.sub(" ", STRING.sub("", expression)))
    return set(NAME.findall(bare)) - OPERATORS


def alerts() -> Iterator[tuple[str, str, str]]:
    """Each alert's name, expression and runbook."""
    for block in (PROMETHEUS / "alerts.yml").read_text().split("- alert: ")[1:]:
        (name,) = re.findall(r"\A(\w+)", block)
        (expression,) = re.findall(r"^ {8}expr: (.*(?:\n {10}.*)*)", block, re.MULTILINE)
        (runbook,) = re.findall(r"^ {10}runbook: (\S+)", block, re.MULTILINE)
        yield name, expression.removeprefix("|-\n"), runbook


def boards() -> list[dict[str, Any]]:
    """The dashboards."""
    return [json.loads(path.read_text()) for path in sorted(GRAFANA.glob("*.json"))]


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard, without the rows they stand in."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def anchors() -> set[str]:
    """What links into the page can name: its headings, as GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def logged(path: Path) -> Iterator[tuple[str, str]]:
    """The events a module logs, each with its level."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=str(event)), *_]
            ) if level in LEVELS:
                yield event, "error" if level == "exception" else level


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("up == 0", {"up"}),
        ('sum by (le, job) (rate(a_bucket{b="c[d]", e=~"f{2}"}[5m])) > 0.5 and on () max(g) == 1', {"a_bucket", "g"}),
        ("histogram_quantile(0.99, sum(a) ) or\nvector(0) unless b offset 15m", {"a", "b"}),
        ("rate(a[$__rate_interval]) / on (b) group_left (c) d", {"a", "d"}),
    ],
)
def test_an_expression_names_its_metrics(expression: str, metrics: set[str]) -> None:
    """Labels, strings, ranges, functions and operators are none."""
    assert metrics_in(expression) == metrics


def test_every_alert_names_its_section() -> None:
    """Whoever is woken finds what to do."""
    found = list(alerts())
    assert len({name for name, _, _ in found}) == len(found) > 0
    assert {runbook for _, _, runbook in found} <= {f"docs/operations.md#{anchor}" for anchor in anchors()}
    assert [name for name, _, _ in found if f"`{name}`" not in PAGE] == []


def test_every_alert_asks_for_metrics_that_there_are() -> None:
    """A misspelt metric would be silent for ever; `up` is Prometheus's own."""
    asked = {name: metrics_in(expression) for name, expression, _ in alerts()}
    assert all(asked.values())
    assert set(chain(*asked.values())) <= METRICS | {"up"}


@pytest.mark.parametrize("arguments", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")])
def test_alerts_fire_on_bad_days_and_only_then(arguments: tuple[str, ...]) -> None:
    """Prometheus's own tool reads the rules and plays the days."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; it comes with Prometheus")
    done = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)  # noqa: S603  arguments of ours
    assert done.returncode == 0, done.stdout + done.stderr


def test_dashboards_are_told_apart() -> None:
    """By uids that stay; the database ids of somebody's Grafana are not among them."""
    found = boards()
    assert len({board["uid"] for board in found}) == len(found) > 1
    assert all("id" not in board and board["refresh"] == "10s" for board in found)


@pytest.mark.parametrize("board", boards(), ids=lambda board: str(board["uid"]))
def test_every_panel_explains_itself(board: dict[str, Any]) -> None:
    """It has an id of its own, a title and a description."""
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert [panel["id"] for panel in panels(board) if not (panel["title"] and panel["description"])] == []


@pytest.mark.parametrize("board", boards(), ids=lambda board: str(board["uid"]))
def test_every_panel_asks_for_metrics_that_there_are(board: dict[str, Any]) -> None:
    """An empty panel would look like a quiet day."""
    targets = [target for panel in panels(board) for target in panel["targets"]]
    assert {target["datasource"]["uid"] for target in targets} == {"prometheus", "loki"}
    asked = [metrics_in(one["expr"]) for one in targets if one["datasource"]["type"] == "prometheus"]
    assert all(asked)
    assert set(chain(*asked)) <= METRICS


def declared(path: Path) -> Iterator[str]:
    """The metrics a module declares, as Prometheus is told of them."""
    units = {"s": "_seconds"}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(
                func=ast.Name(id="gauge" | "Histogram" as kind)
                | ast.Attribute(attr="gauge" | "create_counter" as kind),
                args=[ast.Constant(value=str(name)), *_],
                keywords=keywords,
            ):
                given = {one.arg: str(one.value.value) for one in keywords if isinstance(one.value, ast.Constant)}
                unit = given.get("unit", "s" if kind == "Histogram" else "")
                yield name.replace(".", "_") + units.get(unit, "") + ("_total" if kind == "create_counter" else "")


def test_the_metrics_are_those_of_the_code() -> None:
    """Whoever adds one adds it here and to the page; those of the process and of Python are Prometheus's own."""
    sources = [path for path in PACKAGE.rglob("*.py") if ELSEWHERE.isdisjoint(path.relative_to(PACKAGE).parts)]
    ours = {name for name in [*GAUGES_AND_COUNTERS, *HISTOGRAMS] if not name.startswith(("process_", "python_"))}
    assert set(chain(*map(declared, sources))) == ours


def test_every_metric_of_ours_is_explained() -> None:
    """The page has each of them in its table, and no others."""
    ours = {name for name in [*GAUGES_AND_COUNTERS, *HISTOGRAMS] if name.startswith("user_management_")}
    assert set(re.findall(r"^\| `(user_management_\w+)` \|", PAGE, re.MULTILINE)) == ours


def test_every_line_of_the_log_is_explained() -> None:
    """The page names each event that the code logs, with its level, and no others."""
    sources = [path for path in PACKAGE.rglob("*.py") if ELSEWHERE.isdisjoint(path.relative_to(PACKAGE).parts)]
    table = PAGE.partition("### Every line we log")[2]
    assert set(re.findall(r"^\| `([\w.]+)` \| (\w+) \|", table, re.MULTILINE)) == set(chain(*map(logged, sources)))


def test_the_page_promises_nothing_that_is_not_there() -> None:
    """Its commands, its settings and its links exist."""
    commands = set(re.findall(r"(?<!-p )\buser-management ([a-z]+)", PAGE))
    assert commands <= set(typer.main.get_group(app).commands)
    settings = set(re.findall(r"USER_MANAGEMENT_([A-Z_]+)", PAGE))
    assert settings <= {name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= anchors()
    assert all((PACKAGE.parent / "docs" / path).exists() for path in re.findall(r"\]\((\.\./[^)#]+)\)", PAGE))


def typed(page: str) -> list[list[str]]:
    """The arguments of each of our commands that a page tells to type, in a block or in a line."""
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^user-management .*$", blocks, re.MULTILINE) + re.findall(r"`(user-management [^`]+)`", page)
    return [shlex.split(line, comments=True)[1:] for line in lines]


def parsed(command: Any, arguments: list[str]) -> None:
    """Read arguments as the command would, and run nothing; an argument may be left out in prose, never misspelt."""
    if commands := getattr(command, "commands", None):
        name, *rest = arguments
        return parsed(commands[name], rest)
    try:
        command.make_context(command.name, list(arguments))
    except typer.TyperException as error:
        if type(error).__name__ != "MissingParameter":
            raise


def test_what_the_page_says_to_type_can_be_typed() -> None:
    """Every command in it exists, with exactly these options."""
    lines, group = typed(PAGE), typer.main.get_group(app)
    for arguments in lines:
        parsed(group, arguments)
    assert ["erase", "user_01…"] in lines
    assert len(lines) > 40


@pytest.mark.parametrize("arguments", ["verifi", "verify --hournal", "failures drop 1", "failures show one"])
def test_what_cannot_be_typed_is_noticed(arguments: str) -> None:
    """A misspelt command, option or number."""
    with pytest.raises((KeyError, typer.TyperException)):
        parsed(typer.main.get_group(app), arguments.split())
