"""A connection to a WorkOS that answers exactly what a test tells it to."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from user_management.services.workos import client
from user_management.services.workos.client import WorkOS

KEY = "sk_test_do_not_tell"
URL = "https://workos.test"

Answer = Callable[..., respx.Route]
"""Fixes what every request is answered with: a status with its body, or an exception on the way."""


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """Everything that leaves over HTTP, caught."""
    with respx.mock(assert_all_called=False) as router:
        yield router


@pytest.fixture
def answer(router: respx.MockRouter) -> Answer:
    """Fix the answer to every request."""

    def fixed(status: int = 200, *, error: Exception | None = None, **body: Any) -> respx.Route:
        route: respx.Route = router.route()
        return route.mock(side_effect=error) if error else route.mock(return_value=httpx.Response(status, **body))

    return fixed


@pytest.fixture
async def remote(router: respx.MockRouter) -> AsyncIterator[WorkOS]:
    """The connection under test."""
    async with httpx.AsyncClient() as http:
        yield client.over(http, api_key=KEY, client_id="client_1", base_url=URL, seconds=5)
