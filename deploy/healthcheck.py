#!/usr/bin/env -S python3 -IS
"""`healthcheck URL`: exit status 0 when the URL answers 200, and 1 when it does not; one line says why.

It imports no more than it needs, for it is started every few seconds.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

SECONDS = 4


def ask(url: str) -> tuple[int, bytes]:
    """The status and the body that a URL answers with."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    connection.request("GET", parts.path or "/")
    answer = connection.getresponse()
    return answer.status, answer.read()


def told(body: bytes) -> str:
    """What a body of ours says in words: a problem's detail, or the state."""
    try:
        found = json.loads(body)
        return str(found.get("detail") or found.get("state") or found.get("status") or "")
    except (ValueError, AttributeError):
        return ""


def main(url: str) -> int:
    """Say what is the matter; the exit status."""
    try:
        status, body = ask(url)
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}")
        return 1
    print(f"{status} {told(body)}".strip())
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else "usage: healthcheck URL")  # noqa: PLR2004
