"""What somebody sees who opens the documentation for the first time, and types something wrong."""

import httpx


async def test_what_most_people_come_for_is_first(api: httpx.AsyncClient) -> None:
    """Users, organizations and signing in lead; each group stands there once, and what operators do is last."""
    document = (await api.get("/api/openapi.json")).json()
    names = [tag["name"] for tag in document["tags"]]
    assert names[:4] == ["users", "organizations", "organization_memberships", "auth"]
    assert names[-3:] == ["failures", "webhooks", "monitoring"]
    used = {tag for path in document["paths"].values() for one in path.values() for tag in one["tags"]}
    assert sorted(names) == sorted(used)


async def test_swagger_shows_its_groups_closed(api: httpx.AsyncClient) -> None:
    """More than a hundred routes are no list to scroll; groups can be searched, and no key is left in the browser."""
    page = (await api.get("/api/docs")).text
    assert '"docExpansion": "none"' in page
    assert '"filter": true' in page
    assert "persistAuthorization" not in page


async def test_what_is_wrong_is_said_in_our_words(api: httpx.AsyncClient) -> None:
    """No name of an exception stands before the message, in a query or in a body."""
    asked = (await api.get("/api/users", params={"created_after": "yesterday"})).json()
    assert asked["errors"][0]["message"] == "must be a time such as 2026-11-01T00:00:00Z"
    for field in ("created_before", "updated_after"):
        assert "Value error" not in (await api.get("/api/users", params={field: "x"})).text


async def test_api_keys_are_called_so(api: httpx.AsyncClient) -> None:
    """Summaries are English: `API key`, and an owner with an article."""
    paths = (await api.get("/api/openapi.json")).json()["paths"]
    assert paths["/api/api_keys"]["get"]["summary"] == "List API keys"
    of_organization = paths["/api/organizations/{organization_id}/api_keys"]["post"]["summary"]
    assert of_organization == "Create an API key of an organization at WorkOS"
