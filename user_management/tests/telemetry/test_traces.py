"""Traces: one tells one story, from end to end, and none names a person."""

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from user_management.db.session import Pool
from user_management.listener import daemon, worker
from user_management.listener.worker import Listener
from user_management.telemetry.spans import sampling
from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.telemetry.conftest import Told
from user_management.tests.web.conftest import Serve

ADA = {"email": "lovelace@example.com", "first_name": "Lovelace"}
"""A person whose name no trace id can spell."""


async def test_the_story_of_one_write(serve: Serve, local: LocalWorkOS, following: Listener, told: Told) -> None:
    """The request, its call to WorkOS, the reply in the journal; then the page that brings the event back, linked."""
    async with serve(local.http) as api:
        user = (await api.post("/api/users", json=ADA)).json()
    await daemon.poll(following)

    tree = [step for step in await told.tree() if not step.endswith(" budget")]
    assert tree[:2] == ["POST /api/users", "POST /api/users > POST /user_management/users"]
    assert "POST /api/users > fold > SELECT users" in tree
    assert "POST /api/users > apply users" in tree
    assert tree[tree.index("POST /api/users > apply users") + 1 :].count("POST /api/users > COMMIT") == 1
    (write,), (page,) = await told.named("POST /api/users"), await told.named("poll")
    assert attributes(write)["user_management.object.id"] == user["id"]
    assert attributes(page)["user_management.object.ids"] == (user["id"],)
    (link,) = page.links
    assert write.context is not None
    assert link.context.trace_id == write.context.trace_id
    assert dict(link.attributes or {})["user_management.object.id"] == user["id"]
    assert (dict(link.attributes or {})["user_management.event.id"],) == attributes(page)["user_management.event.ids"]


async def test_the_story_of_a_page(local: LocalWorkOS, following: Listener, told: Told) -> None:
    """Fetched, journalled, applied for each resource, committed; and a count of what it did."""
    await local.membership(await local.user(), await local.organization())
    await daemon.poll(following)
    steps = [path.removeprefix("poll > ") for path in await told.tree()]
    assert steps[:2] == ["poll", "GET /events"]
    for step in ("fold", "journal", "apply users", "apply organizations", "apply organization_memberships", "COMMIT"):
        assert steps.count(step) == 1, steps
    (page,) = await told.named("poll")
    counts = {name: value for name, value in attributes(page).items() if name.startswith("user_management.entries")}
    assert counts == {"user_management.entries": 3, "user_management.entries.applied": 3}


async def test_a_poll_that_finds_nothing_is_no_story(following: Listener, told: Told) -> None:
    """Nor is the lease, nor what a start sets right: a quiet hour leaves no traces."""
    assert (await daemon.poll(following)).drained
    await daemon.take_turn(stopped(following))
    assert await told.tree() == []


def stopped(listener: Listener) -> Listener:
    """The listener, asked to leave."""
    listener.stopping.set()
    return listener


async def test_a_poll_that_fails_says_so(local: LocalWorkOS, following: Listener, told: Told) -> None:
    """With the kind of the error, not its words."""
    await local.misbehave({"500": 1.0}, paths="/events")
    await worker.attempt(following, "poll", lambda: daemon.poll(following), following.backoff())
    (failed,) = await told.spans()
    assert (failed.name, failed.status.description) == ("poll", "WorkOSUnavailable")
    assert attributes(failed)["error.type"] == "WorkOSUnavailable"


async def test_a_read_is_traced_with_its_sql(serve: Serve, local: LocalWorkOS, told: Told) -> None:
    """By the names OpenTelemetry gives things."""
    async with serve(local.http) as api:
        told.forget()
        await api.get("/api/users?limit=5", headers={"X-Request-ID": "mine"})
    assert await told.tree() == ["GET /api/users", "GET /api/users > list users"]
    (request,), (sql,) = await told.named("GET /api/users"), await told.named("list users")
    assert request.kind is SpanKind.SERVER
    assert {key: attributes(request)[key] for key in ("http.request.method", "http.route", "http.response.status_code",
                                                      "url.path", "user_management.request.id")} == {
        "http.request.method": "GET", "http.route": "/api/users", "http.response.status_code": 200,
        "url.path": "/api/users", "user_management.request.id": "mine",
    }  # fmt: skip
    assert sql.kind is SpanKind.CLIENT
    assert attributes(sql)["db.system.name"] == "postgresql"
    assert str(attributes(sql)["db.query.text"]).startswith("/* list users */ SELECT")


async def test_no_trace_names_a_person(serve: Serve, local: LocalWorkOS, following: Listener, told: Told) -> None:
    """Neither addresses in queries, nor external ids in paths, nor what WorkOS refuses with."""
    async with serve(local.http) as api:
        await api.post("/api/users", json={**ADA, "external_id": "lovelace-42", "password": "hunter2-correct-horse"})
        assert (await api.post("/api/users", json=ADA)).status_code == 400
        await api.get("/api/users?email=lovelace@example.com")
        await api.get("/api/users/external_id/lovelace-42")
        await api.get("/api/users/lovelace@example.com")
        await api.get("/nowhere/lovelace@example.com")
    await daemon.poll(following)
    text = "\n".join(span.to_json() for span in await told.spans())
    assert "GET /api/users/external_id/{external_id}" in text
    for word in ("lovelace", "Lovelace", "example.com", "hunter2", "sk_sandbox"):
        assert word not in text, word


async def test_who_watches_leaves_no_trace(serve: Serve, local: LocalWorkOS, told: Told) -> None:
    """Machines ask these every few seconds."""
    async with serve(local.http) as api:
        for path in ("/metrics", "/api/health", "/api/ready"):
            await api.get(path)
    assert await told.tree() == []


@pytest.mark.parametrize(("flags", "spans"), [("01", 2), ("00", 0)])
async def test_the_caller_decides(serve: Serve, local: LocalWorkOS, told: Told, flags: str, spans: int) -> None:
    """A caller that traces is followed, one that does not is not, whatever our share is."""
    sampling.share = 0.0001 if spans else 1.0
    caller = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-{flags}"}
    async with serve(local.http) as api:
        await api.get("/api/users", headers=caller)
    found = await told.spans()
    assert len(found) == spans
    assert {trace.format_trace_id(span.context.trace_id) for span in found if span.context} <= {"a" * 32}


CALLERS = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.mark.parametrize(
    ("on", "caller", "spans"), [(True, CALLERS, 2), (True, None, 0), (True, "gibberish", 0), (False, CALLERS, 0)]
)
async def test_a_share_of_nothing(serve: Serve, told: Told, on: bool, caller: str | None, spans: int) -> None:
    """Then only the traces of callers are told; and without an endpoint, not even those."""
    sampling.share, sampling.on = 0.0, on
    async with serve() as api:
        await api.get("/api/users", headers={"traceparent": caller} if caller else {})
    assert len(await told.spans()) == spans


async def test_a_server_error_is_marked(serve: Serve, told: Told) -> None:
    """A 5xx is an error of ours, a 404 is none."""
    async with httpx.AsyncClient(base_url="http://127.0.0.1:1") as nobody, serve(nobody) as api:
        told.forget()
        assert (await api.get("/api/users/user_none")).status_code == 404
        assert (await api.post("/api/users", json=ADA)).status_code == 503
    (missing,), (failed,) = await told.named("GET /api/users/{id}"), await told.named("POST /api/users")
    assert (missing.status.is_ok, failed.status.is_ok) == (True, False)


async def test_the_journal_keeps_where_it_was_traced(serve: Serve, local: LocalWorkOS, pool: Pool, told: Told) -> None:
    """So that an entry can be followed to the trace that brought it."""
    async with serve(local.http) as api:
        await api.post("/api/users", json=ADA)
    (write,) = await told.named("POST /api/users")
    assert write.context is not None
    kept = await pool.fetchval("SELECT traceparent FROM journal")
    assert kept.split("-")[1] == trace.format_trace_id(write.context.trace_id)


def attributes(span: ReadableSpan) -> dict[str, object]:
    """What a span says."""
    return dict(span.attributes or {})
