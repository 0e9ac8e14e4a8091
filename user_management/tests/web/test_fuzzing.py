"""Schemathesis over the whole OpenAPI: whatever it sends, nothing breaks, and each answer is of a kind described."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    status_code_conformance,
)

from user_management.tests.support.local_workos import LocalWorkOS
from user_management.tests.web.conftest import Serve, Tell
from user_management.tests.web.test_keys import bearer, made
from user_management.web.scopes import Scope

REQUESTS, FEWEST = 240, 3
"""Requests of each kind to all operations together, and to each of them at least."""
BASE = "http://api.test"
CHECKS = [content_type_conformance, status_code_conformance]
"""No answer is of a kind that is not described."""
CREDENTIALS = {"authorization", "x-api-key"}


def operations(document: dict[str, Any]) -> list[APIOperation[Any, Any, Any, Any]]:
    """Every operation there is; one that cannot be read fails the test."""
    found = [one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations() if isinstance(one, Ok)]
    assert len(found) == sum(map(len, document["paths"].values()))
    return found


def request(case: Case[Any]) -> dict[str, Any]:
    """A case as httpx sends it, by somebody known: how strangers are answered is told elsewhere."""
    told = case.as_transport_kwargs(base_url=BASE)
    told["content"] = told.pop("data", None)
    told.pop("cookies")  # no route reads any
    told["headers"] = {name: value for name, value in told["headers"].items() if name.lower() not in CREDENTIALS}
    return {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_nothing_that_is_sent_breaks_it(
    serve: Serve, local: LocalWorkOS, tell: Tell, mode: GenerationMode
) -> None:
    """Requests that fit the description and requests that do not, by whoever may do everything: never a 500."""
    for name in ("users", "organizations", "organization_memberships"):
        await tell(name, 3)
    secret, key = made("fuzz", Scope.ADMIN)
    loop = asyncio.get_running_loop()
    async with serve(local.http, open=False, api_keys=(key,)) as api:
        api.headers.update(bearer(secret))
        found = operations((await api.get("/api/openapi.json")).json())
        each = max(FEWEST, REQUESTS // len(found))

        async def ask(case: Case[Any]) -> httpx.Response:
            return await api.request(**request(case))

        def all_of_them() -> int:
            return sum(asked(one, mode, each, lambda case: asyncio.run_coroutine_threadsafe(ask(case), loop).result())
                       for one in found)  # fmt: skip

        assert await asyncio.to_thread(all_of_them) > REQUESTS / 3


def asked(operation: Any, mode: GenerationMode, count: int, ask: Callable[[Case[Any]], httpx.Response]) -> int:
    """How many requests of a kind were sent to an operation; the first bad answer fails, with the request as it was.

    Looking for a smaller one would take minutes, and gigabytes.
    """
    sent = 0

    @hypothesis.settings(
        max_examples=count, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def each(case: Case[Any]) -> None:
        nonlocal sent
        sent += 1
        answer = ask(case)
        assert answer.status_code != 500, f"{case.as_curl_command()}: {answer.text}"
        case.validate_response(answer, checks=CHECKS)

    with nothing_to_get_wrong(mode):
        each()
    return sent


def nothing_to_get_wrong(mode: GenerationMode) -> AbstractContextManager[None]:
    """Some operations take nothing: no request to them does not fit."""
    return suppress(hypothesis.errors.Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext()
