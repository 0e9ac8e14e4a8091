"""API keys: how they are made, named in the settings, exchanged and told apart."""

import hmac
from hashlib import sha256

import httpx
import pytest

from user_management.errors import Misconfigured
from user_management.tests.web.conftest import Serve
from user_management.web.credentials import keys
from user_management.web.credentials.keys import Key
from user_management.web.scopes import Scope

DIGEST = "ab" * 32


def made(name: str, scope: Scope = Scope.READ) -> tuple[str, Key]:
    """A key, and what is known of it."""
    secret = keys.new()
    return secret, Key(name, scope, keys.digest(secret.encode()))


def bearer(secret: str) -> dict[str, str]:
    """The header that shows a credential."""
    return {"Authorization": f"Bearer {secret}"}


def test_a_key_cannot_be_found_by_trying() -> None:
    """It is recognised by its beginning, and 256 random bits follow."""
    some = {keys.new() for _ in range(100)}
    assert len(some) == 100
    assert all(one.startswith("umk_") and len(one) == 4 + 43 for one in some)


def test_settings_name_a_key_by_its_digest_alone() -> None:
    """What is printed for the settings is read back as the same key, and the key is not in it."""
    secret, key = made("billing", Scope.WRITE)
    assert keys.parsed(f" {key.entry} ,") == (key,)
    assert key.digest == sha256(secret.encode()).hexdigest()
    assert secret not in key.entry
    assert key.digest not in repr(key)


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ("billing", "billing"), ("billing:read", "billing"), (f"billing:owner:{DIGEST}", "billing"),
        (f"billing:public:{DIGEST}", "billing"), ("billing:read:umk_hunter2", "billing"),
        (f"a:read:{DIGEST},billing:read:{DIGEST[:-1]}", "billing"), (f"billing:read:{DIGEST}:", "billing"),
        (f"a:read:{DIGEST},billing:write:{DIGEST.upper()}", "billing"), (f"umk_hunter2:read:{DIGEST}", "entry 1"),
        (f"a:read:{DIGEST},{DIGEST}", "entry 2"), (f"a b:read:{DIGEST}", "entry 1"), ("umk_hunter2", "entry 1"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named_and_not_repeated(entries: str, named: str) -> None:
    """The operator reads which one is wrong; neither a digest nor a key put in its place is shown."""
    with pytest.raises(Misconfigured, match=rf"^USER_MANAGEMENT_API_KEYS: {named} ") as raised:
        keys.parsed(entries)
    assert not [secret for secret in ("hunter2", "abab", "ABAB") if secret in str(raised.value)]


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those after the one that fits: how long it takes tells nothing."""
    asked: list[str] = []

    def compare(ours: str, theirs: str) -> bool:
        asked.append(ours)
        return constant(ours, theirs)

    constant = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    secret, first = made("first")
    others = [made(f"other{n}")[1] for n in range(3)]
    assert keys.known([first, *others], secret.encode()) is first
    assert asked == [first.digest, *(other.digest for other in others)]
    assert keys.known(others, secret.encode()) is None


async def test_a_key_is_exchanged_by_having_two(serve: Serve) -> None:
    """Both are accepted while both stand there, and only the new one afterwards."""
    (old, was), (new, is_) = made("billing"), made("billing")
    async with serve(open=False, api_keys=(was, is_)) as api:
        assert [(await api.get("/api/users", headers=bearer(one))).status_code for one in (old, new)] == [200, 200]
    async with serve(open=False, api_keys=(is_,)) as api:
        assert [(await api.get("/api/users", headers=bearer(one))).status_code for one in (old, new)] == [401, 200]


async def test_a_key_is_taken_from_either_header(serve: Serve) -> None:
    """As a bearer token however that word is written, or as X-API-Key; two different ones are refused."""
    (secret, key), (other, _) = made("billing"), made("other")
    async with serve(open=False, api_keys=(key,)) as api:
        for headers in (
            {"X-API-Key": secret},
            {"Authorization": f"bEARER  {secret} "},
            bearer(secret) | {"X-API-Key": secret},
        ):
            assert (await api.get("/api/users", headers=headers)).status_code == 200
        both = await api.get("/api/users", headers=bearer(secret) | {"X-API-Key": other})
        assert (both.status_code, "several" in both.json()["detail"]) == (401, True)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}, {"X-API-Key": ""}],
)
async def test_without_a_credential_one_is_asked_for(serve: Serve, headers: dict[str, str]) -> None:
    """RFC 6750: no error is named to those who showed nothing."""
    async with serve(open=False, api_keys=(made("billing")[1],)) as api:
        answer = await api.get("/api/users", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/problems/unauthenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="user_management"'


@pytest.mark.parametrize("given", [b"umk_x", b"x", b"a.b.c", b"\xff.\xfe.x", b"x" * 9000, b"umk_" + b"\xc3\xa9" * 20])
async def test_a_wrong_credential_is_refused_and_not_repeated(serve: Serve, given: bytes) -> None:
    """Whatever it is: a 401 that says so, in words that name the error and not the credential."""
    async with serve(open=False, api_keys=(made("billing")[1],), workos_client_id="client_x") as api:
        answer = await api.get("/api/users", headers={b"Authorization": b"Bearer " + given})
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/problems/credential")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="user_management", error="invalid_token"')
    assert given.strip() == b"x" or given not in answer.content


async def test_a_key_stands_for_no_user(serve: Serve) -> None:
    """`me` is whoever is signed in."""
    secret, key = made("billing", Scope.ADMIN)
    async with serve(open=False, api_keys=(key,)) as api:
        answer = await api.get("/api/users/me", headers=bearer(secret))
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems/not-a-user")


async def test_an_open_api_asks_nobody(serve: Serve) -> None:
    """In development everybody may do everything, also with a credential that is none; only `me` must be somebody."""
    async with serve() as api:
        assert (await api.get("/api/users", headers=bearer("nonsense"))).status_code == 200
        assert (await api.get("/api/failures")).status_code == 200
        assert (await api.get("/api/users/me")).status_code == 401


async def test_health_needs_no_credential(serve: Serve) -> None:
    """Load balancers and Prometheus have none, and whoever was refused must be able to read why."""
    async with serve(open=False) as api:
        for path in ("/api/health", "/metrics", "/api/docs", "/api/openapi.json", "/api/problems/credential", "/"):
            answer: httpx.Response = await api.get(path)
            assert answer.status_code == 200, path
