import httpx

from user_management.tests.web.conftest import Serve, Tell


async def test_large_answers_are_compressed_on_request(api: httpx.AsyncClient, tell: Tell) -> None:
    """A list is compressed for those who ask, and costs the others nothing."""
    await tell("users", 20)
    plain = await api.get("/api/users?limit=20", headers={"Accept-Encoding": "identity"})
    packed = await api.get("/api/users?limit=20", headers={"Accept-Encoding": "gzip"})
    assert (plain.headers.get("Content-Encoding"), packed.headers["Content-Encoding"]) == (None, "gzip")
    assert packed.json() == plain.json()


async def test_other_origins_are_refused_unless_configured(serve: Serve) -> None:
    """Browsers of other origins may read only when they are listed."""
    origin = {"Origin": "https://app.example"}
    async with serve() as api:
        assert "access-control-allow-origin" not in (await api.get("/api/users", headers=origin)).headers
    async with serve(cors_origins=("https://app.example",)) as api:
        answer = await api.get("/api/users", headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "Replica-As-Of" in answer.headers["access-control-expose-headers"]
        other = await api.get("/api/users", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_people_are_not_for_caches(api: httpx.AsyncClient) -> None:
    """No cache on the way keeps what it carried."""
    assert (await api.get("/api/users")).headers["Cache-Control"] == "no-store"
