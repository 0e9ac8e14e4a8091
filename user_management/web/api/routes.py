"""Routes that hand the request straight to their function: FastAPI documents them and stays out of the way."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi.routing import APIRoute

Endpoint: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


class Direct(APIRoute):
    """A route whose function takes the request and answers with a response, without dependency solving."""

    def get_route_handler(self) -> Endpoint:
        """The function itself."""
        handler: Endpoint = self.endpoint
        return handler
