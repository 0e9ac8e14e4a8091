"""Session tokens: whose are accepted, and what they may do."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import httpx
import jwt
import pytest
import respx
from sqlalchemy import Column, MetaData, Table, Text

from user_management.db.session import Pool
from user_management.errors import Misconfigured
from user_management.mirror.engine import catalog, standing
from user_management.services.workos import jwks
from user_management.tests.support import local_workos
from user_management.tests.support import tokens as made
from user_management.tests.support.tokens import CLIENT, Jwks, token
from user_management.tests.web.conftest import Serve, Tell
from user_management.tests.web.test_keys import bearer
from user_management.web.application import gate
from user_management.web.credentials import tokens
from user_management.web.credentials.holders import Holder, Refused
from user_management.web.lifespan import Options
from user_management.web.scopes import Scope

GUARDED = {"open": False, "workos_client_id": CLIENT, "token_issuers": tokens.issuers(local_workos.URL, CLIENT)}


@pytest.fixture
def shown(remote: respx.MockRouter) -> Jwks:
    """The keys that WorkOS shows."""
    return Jwks(remote)


@pytest.fixture
async def guarded(serve: Serve, shown: Jwks) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an API that accepts session tokens alone."""
    async with httpx.AsyncClient() as http, serve(http, **GUARDED) as client:
        yield client


async def me(client: httpx.AsyncClient, given: str) -> httpx.Response:
    """What somebody is told of themselves."""
    return await client.get("/api/users/me", headers=bearer(given))


def handmade(header: dict[str, Any], key: bytes) -> str:
    """A token signed by hand with HMAC, as libraries refuse to."""
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, made.claims())]
    signature = hmac.new(key, b".".join(parts), sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def test_whoever_is_signed_in_reads_about_themselves(guarded: httpx.AsyncClient, tell: Tell) -> None:
    """Their own object from the copy, with its age; nothing else, as long as no permission says so."""
    (user,) = await tell("users")
    answer = await me(guarded, token())
    assert (answer.status_code, answer.json()["id"]) == (200, user["id"])
    assert answer.headers.keys() >= {"replica-state", "replica-position"}
    other = await guarded.get("/api/users", headers=bearer(token()))
    assert (other.status_code, other.json()["scope"]) == (403, "read")


async def test_somebody_who_is_not_in_the_copy_is_a_404(guarded: httpx.AsyncClient) -> None:
    """The token is good; the copy has not come to its user yet."""
    answer = await me(guarded, token(sub="user_new"))
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems/not-found")


@pytest.mark.parametrize(
    ("permissions", "statuses"),
    [
        (None, (403, 403)), (["user_management:read"], (200, 403)), (["other", "user_management:admin"], (200, 200)),
        ("user_management:admin", (403, 403)), (["read", "user_management:owner"], (403, 403)), ([{}, 1], (403, 403)),
    ],
)  # fmt: skip
async def test_permissions_give_scopes(
    guarded: httpx.AsyncClient, permissions: object, statuses: tuple[int, int]
) -> None:
    """`user_management:read`, `:write` and `:admin` among the permissions; whatever else is there gives nothing."""
    headers = bearer(token(permissions=permissions))
    found = [(await guarded.get(path, headers=headers)).status_code for path in ("/api/users", "/api/failures")]
    assert tuple(found) == statuses


@pytest.mark.parametrize(
    "ending", ["", "/", f"/user_management/{CLIENT}", f"/user_management/{CLIENT}/", f"/sso/{CLIENT}"]
)
async def test_every_form_of_the_issuer_will_do(guarded: httpx.AsyncClient, ending: str) -> None:
    """WorkOS has written it in several ways, with and without a last slash."""
    assert (await me(guarded, token(iss=local_workos.URL + ending))).status_code == 404


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": int(time.time()) - 3600}, "expired"), ({"nbf": int(time.time()) + 3600}, "not valid yet"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": f"{local_workos.URL}/user_management/client_2"}, "issuer"),
        ({"iss": None}, "not that of a session"), ({"exp": None}, "not that of a session"),
        ({"sub": None}, "not that of a session"), ({"sid": None}, "not that of a session"),
        ({"sid": ["session_1"]}, "not that of a session"), ({"sub": "user\x00"}, "not that of a session"),
    ],
)  # fmt: skip
async def test_a_token_that_says_something_wrong_is_refused(
    guarded: httpx.AsyncClient, changed: dict[str, Any], reason: str
) -> None:
    """Over, not begun, of somebody else, or no session's: the caller is told which."""
    answer = await me(guarded, token(**changed))
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/problems/credential")
    assert reason in answer.json()["detail"]


async def test_the_algorithm_is_not_the_tokens_to_choose(guarded: httpx.AsyncClient) -> None:
    """Neither `none`, nor HMAC with the public key as its secret, nor another signature of the right key."""
    unsigned = jwt.encode(made.claims(), "", algorithm="none", headers={"kid": "one"})
    confused = [
        handmade({"alg": alg, "typ": "JWT", "kid": "one"}, made.pem("one")) for alg in ("HS256", "RS256", "none")
    ]
    other = jwt.encode(made.claims(), made.pair("one"), algorithm="RS512", headers={"kid": "one"})
    for forged in (unsigned, *confused, other):
        assert (await me(guarded, forged)).status_code == 401


async def test_a_token_that_was_changed_is_refused(guarded: httpx.AsyncClient) -> None:
    """Also when only its last part, or its key's name, is another's."""
    head, body, _ = token().split(".")
    swapped = jwt.encode(made.claims(), made.pair("two"), algorithm="RS256", headers={"kid": "one"})
    for forged in (f"{head}.{body}.", f"{head}.{body}.{'A' * 342}", swapped, f"{head}.{body}", f"{body}.{head}.x"):
        assert (await me(guarded, forged)).status_code == 401


@pytest.mark.parametrize(
    "header", [b"[" * 5000, b"{", b"[]", b'{"alg":"RS256","kid":1}', b'{"alg":"RS256"}', b"\xff\xfe"]
)
async def test_a_header_that_is_none_is_refused(guarded: httpx.AsyncClient, header: bytes) -> None:
    """Whatever strangers send where JSON should be is a 401, and asks WorkOS nothing."""
    given = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    assert (await me(guarded, f"{given}.e30.AAAA")).status_code == 401


async def test_keys_are_fetched_once(guarded: httpx.AsyncClient, shown: Jwks) -> None:
    """Many tokens cost one question."""
    for number in range(5):
        assert (await me(guarded, token(sid=f"session_{number}"))).status_code == 404
    assert shown.fetches == 1


async def test_forged_key_names_cause_no_storm(shown: Jwks) -> None:
    """One question for an unknown name; then none for a while, whatever strangers name; then one again."""
    now = [1000.0]
    ring = jwks.Keyring(CLIENT, lambda: now[0])
    async with httpx.AsyncClient() as http:
        workos = local_workos.connection(http, local_workos.URL)
        assert await ring.key(workos, "one", set()) is not None
        now[0] += jwks.INTERVAL
        assert [await ring.key(workos, f"forged{n}", set()) for n in range(20)] == [None] * 20
        assert shown.fetches == 2
        now[0] += jwks.INTERVAL
        shown.show("one", "two")
        assert await ring.key(workos, "two", set()) is not None
    assert shown.fetches == 3


async def test_a_withdrawn_key_is_not_honoured_for_ever(shown: Jwks) -> None:
    """After an hour the keys are fetched again, while nobody waits; what is not shown any more is forgotten."""
    now, aside = [1000.0], set[asyncio.Task[None]]()
    ring = jwks.Keyring(CLIENT, lambda: now[0])
    async with httpx.AsyncClient() as http:
        workos = local_workos.connection(http, local_workos.URL)
        assert await ring.key(workos, "one", aside) is not None
        shown.show("two")
        now[0] += jwks.KEPT
        assert await ring.key(workos, "one", aside) is not None
        await asyncio.gather(*aside)
        assert await ring.key(workos, "one", aside) is None


async def test_a_client_that_workos_does_not_know_is_told_every_time(shown: Jwks) -> None:
    """Nobody is taken for a stranger between two fetches; whose key is still here goes on."""
    now = [1000.0]
    ring = jwks.Keyring(CLIENT, lambda: now[0])
    async with httpx.AsyncClient() as http:
        workos = local_workos.connection(http, local_workos.URL)
        assert await ring.key(workos, "one", set()) is not None
        shown.route.respond(404, json={"message": "Not Found"})
        now[0] += jwks.KEPT
        assert await ring.key(workos, "one", set()) is not None
        for _ in range(2):
            with pytest.raises(Misconfigured):
                await ring.key(workos, "two", set())


@pytest.mark.parametrize("answer", [{"keys": []}, {"keys": [{"kid": "one", "kty": "oct", "k": "AA"}]}, {}, [], "x"])
async def test_without_keys_nobody_can_be_judged(guarded: httpx.AsyncClient, shown: Jwks, answer: Any) -> None:
    """What is no set of keys is a 503 with the time to wait, and neither a yes nor a no."""
    shown.route.respond(json=answer)
    said = await me(guarded, token())
    assert (said.status_code, said.json()["type"]) == (503, "/api/problems/workos-unavailable")
    assert int(said.headers["Retry-After"]) >= 1


async def test_while_workos_is_away_known_keys_still_judge(guarded: httpx.AsyncClient, shown: Jwks) -> None:
    """An outage keeps nobody out whose token is signed with a key that was seen."""
    assert (await me(guarded, token())).status_code == 404
    shown.route.respond(500)
    assert (await me(guarded, token(sid="session_2"))).status_code == 404


async def test_a_wrong_client_id_is_the_operators_to_change(guarded: httpx.AsyncClient, shown: Jwks) -> None:
    """The caller learns that it is not theirs to mend."""
    shown.route.respond(404, json={"message": "Not found"})
    assert (await me(guarded, token())).json()["type"] == "/api/problems/workos-key"


async def test_a_deleted_user_is_refused(guarded: httpx.AsyncClient, tell: Tell) -> None:
    """Though the token is good for minutes yet."""
    await tell("users", 2)
    await tell("users", what="deleted")
    answer = await me(guarded, token())
    assert (answer.status_code, "deleted" in answer.json()["detail"]) == (401, True)
    assert (await me(guarded, token(sub="user_0001"))).status_code == 200


@pytest.mark.parametrize(("mark", "status"), [("2026-11-22T10:00:00.000Z", 401), ("", 200)])
async def test_a_soft_deleted_user_is_refused(guarded: httpx.AsyncClient, tell: Tell, mark: str, status: int) -> None:
    """As at the sign-in, so for whoever is signed in."""
    await tell("users", metadata={"deleted_at": mark})
    assert (await me(guarded, token())).status_code == status


async def test_the_copy_is_asked_again_before_long(
    guarded: httpx.AsyncClient, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that was found good is refused as soon as the copy knows better and it is time to look again."""
    await tell("users")
    given = token()
    assert (await me(guarded, given)).status_code == 200
    await tell("users", what="deleted")
    monkeypatch.setattr(tokens, "STANDING", 0.0)
    assert (await me(guarded, given)).status_code == 401


@pytest.mark.parametrize(
    ("status", "deleted_at", "fallen"), [("active", None, False), ("revoked", None, True), ("active", "now()", True)]
)
async def test_a_revoked_session_falls(pool: Pool, status: str, deleted_at: str | None, fallen: bool) -> None:
    """A row that says revoked, or a tombstone, ends what the token promises; a session not copied yet does not."""
    names = {resource.name: resource.table for resource in catalog.resources()}
    sessions = Table("sessions", MetaData(), Column("id", Text), Column("status", Text), Column("deleted_at", Text))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("CREATE TEMPORARY TABLE sessions (id text, status text, deleted_at timestamptz)")
        await connection.execute(f"INSERT INTO sessions VALUES ('session_1', '{status}', {deleted_at or 'NULL'})")
        statement = standing.asking(names["users"], sessions)
        for session_id, expected in (("session_1", fallen), ("session_2", False)):
            values = {"user_id": "user_1", "session_id": session_id}
            assert await connection.fetchval(statement.text, *statement.bind(values)) is expected
        await connection.execute("DROP TABLE pg_temp.sessions")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers with many good tokens cannot fill the memory."""
    monkeypatch.setattr(tokens, "REMEMBERED", 3)
    found = gate(Options(database_url="", workos_api_key="", workos_client_id=CLIENT)).tokens
    assert found is not None
    for number in range(10):
        session = tokens.Session(Holder("user", Scope.SELF, "user"), "session", 0.0, 0.0)
        found.remember(str(number).encode(), session)
    assert list(found.sessions) == [b"7", b"8", b"9"]


def test_an_unreadable_token_asks_nothing() -> None:
    """What is no token at all is told from one that is not good."""
    with pytest.raises(Refused, match="cannot be read"):
        tokens.named("nonsense")
