"""Metrics: what is counted, under which name, and that every process which serves a port is in the answer."""

import asyncio
import os
import re
import signal
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from user_management import telemetry
from user_management.db.session import Pool
from user_management.errors import Misconfigured
from user_management.journal import watch
from user_management.listener import catch_up, daemon, monitoring, pull, worker
from user_management.listener.worker import Listener
from user_management.telemetry import exposition
from user_management.telemetry.histograms import HISTOGRAMS, Histogram
from user_management.tests.support import ports, processes
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.support.waiting import PATIENCE, until
from user_management.tests.web.conftest import Serve, place

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample of an exposition, without the process it is of."""
    families = text_string_to_metric_families(text)
    return {(one.name, told(one.labels)): one.value for family in families for one in family.samples}


def told(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    """What labels say: an empty one is none, and is there only because another sample of the metric has one."""
    return frozenset((key, value) for key, value in labels.items() if value and key != "service_instance_id")


def value(found: Samples, name: str, **labels: str) -> float:
    """One sample; 0 where there is none yet."""
    return found.get((name, told(labels)), 0.0)


async def scraped(api: httpx.AsyncClient) -> Samples:
    """What the API answers when it is scraped."""
    answer = await api.get("/metrics")
    assert answer.headers["content-type"] == exposition.CONTENT_TYPE
    return samples(answer.text)


async def test_requests_are_counted_by_route_and_status(collected: None, serve: Serve, local: LocalWorkOS) -> None:
    """By the route as it was declared, never by the path that was asked for."""
    name = "http_server_request_duration_seconds_count"
    missing = {"http_response_status_code": "404"}
    asked = {"http_request_method": "GET", "http_route": "/api/users/{id}", **missing}
    odd = {"http_request_method": "_OTHER", "http_route": "/{path}", "http_response_status_code": "405"}
    async with serve(local.http) as api:
        before = await scraped(api)
        for number in range(3):
            await api.get(f"/api/users/user_{number}")
        await api.request("BREW", "/coffee/pot")
        after = await scraped(api)
    assert value(after, name, **asked) - value(before, name, **asked) == 3
    assert value(after, name, **odd) - value(before, name, **odd) == 1
    assert not [name for name, labels in after if "user_1" in str(labels) or "coffee" in str(labels)]


async def test_what_was_flushed_is_not_told_twice(collected: None, serve: Serve, local: LocalWorkOS) -> None:
    """Each app flushes as it ends; the next scrape of the process tells each sample once all the same."""
    for _ in range(3):
        async with serve(local.http) as api:
            await api.get("/api/users")
        telemetry.flush()
    async with serve(local.http) as api:
        lines = [line for line in (await api.get("/metrics")).text.splitlines() if not line.startswith("#")]
    told = [line.rpartition(" ")[0] for line in lines]
    assert len(told) == len(set(told))


async def test_the_copy_is_gauged(collected: None, serve: Serve, local: LocalWorkOS, pool: Pool) -> None:
    """Its age, its state, its position and what is parked, as of the scrape."""
    async with serve(local.http, stale_after=1800) as api:
        began = time.monotonic()
        await place(pool, drained=12)
        found = await scraped(api)
        assert 12 <= value(found, "user_management_replica_age_seconds") <= 12 + time.monotonic() - began + 1
        assert value(found, "user_management_replica_state", state="live") == 1
        assert value(found, "user_management_replica_state", state="stale") == 0
        await pool.execute("UPDATE cursor SET drained_at = now() - interval '1 hour'")
        found = await scraped(api)
        assert value(found, "user_management_replica_state", state="stale") == 1
        assert value(found, "user_management_database_up") == 1


async def test_what_an_event_comes_to_is_counted(collected: None, local: LocalWorkOS, following: Listener) -> None:
    """By lane, type and verdict; how long it took to get here, and what WorkOS was asked."""
    applied = {"lane": "events", "type": "user.created", "outcome": "applied"}
    asked = {"http_request_method": "GET", "url_template": "/events", "server_address": "workos.test",
             "http_response_status_code": "200"}  # fmt: skip
    before = samples(exposition.own())
    await local.user()
    await daemon.poll(following)
    after = samples(exposition.own())

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("user_management_entries_total", **applied) == 1
    assert grown("user_management_event_delay_seconds_count") == 1
    for part in ("source", "wait", "fetch", "apply"):
        assert grown("user_management_event_delay_part_seconds_count", part=part) == 1
    assert grown("user_management_page_entries_sum", lane="events") == 1
    assert grown("user_management_page_duration_seconds_count", lane="events") == 1
    assert grown("http_client_request_duration_seconds_count", **asked) == 1


async def test_what_catching_up_brings_is_counted_too(collected: None, local: LocalWorkOS, following: Listener) -> None:
    """How late it came, and what no webhook had told."""
    following.hears = "somewhere"
    await local.user()
    fetched, before = await pull.fetch(following.pool, following.workos, following.types), samples(exposition.own())
    await catch_up.keep(following, fetched, fetched.cursor)
    after = samples(exposition.own())
    for name in ("user_management_event_delay_seconds_count", "user_management_webhooks_missed_total"):
        assert value(after, name) - value(before, name) == 1


async def test_webhooks_are_counted_by_what_became_of_them(collected: None, serve: Serve, local: LocalWorkOS) -> None:
    """Even those that are refused."""
    async with serve(local.http, webhook_secrets=("whsec_test",)) as api:
        before = await scraped(api)
        await api.post("/webhooks/workos", content=b"{}", headers={"WorkOS-Signature": "t=1, v1=00"})
        after = await scraped(api)
    name = "user_management_webhooks_total"
    assert value(after, name, outcome="refused") - value(before, name, outcome="refused") == 1
    assert value(after, "user_management_webhooks_pending") == 0


async def test_a_failure_is_counted_by_what_it_asks_for(
    collected: None, local: LocalWorkOS, following: Listener
) -> None:
    """And the 429 that caused it under its status."""
    await local.misbehave({"429": 1.0}, paths="/events")
    labels = {"work": "poll", "reason": "waiting"}
    before = value(samples(exposition.own()), "user_management_retries_total", **labels)
    await worker.attempt(following, "poll", lambda: daemon.poll(following), following.backoff())
    after = samples(exposition.own())
    assert value(after, "user_management_retries_total", **labels) == before + 1
    refused = [dict(labels) for name, labels in after if name == "http_client_request_duration_seconds_count"]
    assert {"429"} <= {one.get("http_response_status_code", "") for one in refused}


async def test_the_listener_answers_for_itself(
    collected: None, following: Listener, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its metrics, whether it is alive, and the same judgement of the copy as the API's."""
    monkeypatch.setattr(watch, "PATIENCE", PATIENCE)
    pool, port = following.pool, ports.free()
    async with (
        monitoring.serving(database_url, host="127.0.0.1", port=port, stale_after=3600, source="sandbox"),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as listener,
    ):
        await until(lambda: answers(listener))
        assert (await listener.get("/api/ready")).status_code == 503
        await place(pool, drained=1)
        ready = await listener.get("/api/ready")
        assert (ready.status_code, ready.json()["state"]) == (200, "live")
        found = samples((await listener.get("/metrics")).text)
        assert value(found, "user_management_listener_leading") == 0
        assert value(found, "user_management_backfill_running") == 1
        assert (await listener.get("/elsewhere")).status_code == 404


async def answers(client: httpx.AsyncClient) -> bool:
    """Whether anybody answers yet."""
    try:
        return (await client.get("/api/health")).is_success
    except httpx.TransportError:
        return False


async def test_every_worker_is_in_the_answer(database_url: str, local: LocalWorkOS) -> None:
    """Whichever of two workers is scraped tells of both; one that is killed takes its series with it."""
    port = ports.free()
    environment = processes.settings(database_url, "http://127.0.0.1:1", port=str(port), workers_count="2")
    server = await processes.start("user_management", environment=environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as api:
            first = await until_two(api)
            os.kill(int(first.pop().rpartition(":")[2]), signal.SIGKILL)
            later = await until_two(api, other_than=first)
        assert first < later
    finally:
        status = await processes.end(server)
    assert status == 0


async def until_two(api: httpx.AsyncClient, *, other_than: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]  # read only
    """The two processes of an answer, once there are two, of which one may be known; each metric is declared once."""
    found: set[str] = set()

    async def both() -> bool:
        try:
            text = (await api.get("/metrics")).text
        except httpx.TransportError:
            return False
        declared = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
        assert len(declared) == len(set(declared))
        found.clear()
        found.update(re.findall(r'service_instance_id="([^"]+)"', text))
        return len(found) == 2 and other_than <= found

    await until(both)
    return found


def test_texts_are_merged_by_metric() -> None:
    """A metric is declared once, and the samples of all follow."""
    one, two = '# HELP a A.\n# TYPE a gauge\na{p="1"} 1', '# HELP a A.\n# TYPE a gauge\na{p="2"} 2\n# HELP b B.\nb 3'
    assert exposition.merged([one, two, ""]).splitlines() == [
        "# HELP a A.", "# TYPE a gauge", 'a{p="1"} 1', 'a{p="2"} 2', "# HELP b B.", "b 3",
    ]  # fmt: skip


async def test_a_worker_that_is_gone_is_left_out(tmp_path: Path) -> None:
    """A socket that nobody listens at any more delays nobody."""
    (tmp_path / "1.sock").touch()
    text = await exposition.everything(tmp_path)
    assert set(re.findall(r'service_instance_id="([^"]+)"', text)) == {exposition.instance()}


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1))
def test_a_histogram_counts_what_the_sdk_would(values: list[float]) -> None:
    """Every value in its bucket, and the sum, the least and the greatest of them."""
    histogram = Histogram("test", "Test.", labels=("a",), bounds=(1.0, 10.0))
    HISTOGRAMS.remove(histogram)
    for one in values:
        histogram.record(one, "x")
    (point,) = histogram.metric(1).data.data_points
    assert tuple(point.bucket_counts) == (  # type: ignore[union-attr]  # it is a histogram's
        sum(v <= 1 for v in values), sum(1 < v <= 10 for v in values), sum(v > 10 for v in values),
    )  # fmt: skip
    assert (point.min, point.max, point.sum) == (min(values), max(values), pytest.approx(sum(values)))  # type: ignore[union-attr]  # likewise


def test_a_process_is_named_by_host_and_number() -> None:
    """So that no two are one."""
    assert exposition.instance().endswith(f":{os.getpid()}")


async def test_a_database_that_hangs_hangs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that does not end says that the database is away, is not begun twice, and does not hold up the end."""
    monkeypatch.setattr(watch, "PATIENCE", 0.01)
    begun = 0

    async def hanging() -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    watcher = watch.Watcher(hanging)
    async with watcher.kept():
        assert [await watcher.look() for _ in range(3)] == [False] * 3
    assert begun == 1


def test_a_port_that_is_taken_is_named() -> None:
    """The second listener of a machine is told which setting to change."""
    with monitoring.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"USER_MANAGEMENT_MONITORING_PORT {port} cannot be had"):
            monitoring.bound("127.0.0.1", port)
