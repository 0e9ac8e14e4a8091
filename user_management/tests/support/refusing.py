"""A way to WorkOS on which a test refuses what it likes."""

from collections.abc import Callable

import httpx

from user_management.tests.support.local_workos import Wire

Refusal = Callable[[httpx.Request], int]
"""The status with which a request is refused; 0 for none."""


class Refusing(Wire):
    """A way to WorkOS on which some requests are refused."""

    refusal: Refusal = staticmethod(lambda _request: 0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The refusal, or the app's answer."""
        status = self.refusal(request)
        if status:
            return httpx.Response(status, json={"message": "Not for you."}, request=request)
        return await super().handle_async_request(request)
