"""The OpenAPI description of the writes, derived from what they declare."""

import inspect
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from user_management.web import problems
from user_management.web.api.documents import (
    EVERYWHERE,
    ProblemDocument,
    answered,
    documented,
    example_of,
    failures,
    reference,
    words,
)
from user_management.web.api.security import merged

if TYPE_CHECKING:
    from user_management.web.api.writes import Write

FAILURES = (
    problems.INVALID, problems.KEY_REUSED, problems.AT_WORK, problems.REFUSED, problems.TOO_LARGE,
    problems.KEY_REFUSED, problems.WORKOS_AWAY, problems.DATABASE_AWAY, problems.UNKNOWN,
)  # fmt: skip
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A name of your own for this one request, such as a new UUID; nothing secret or personal. Whoever "
    "repeats the request with it within 24 hours is told the first answer again, byte for byte, and nothing is done "
    "twice. Another request under the same key is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[ -~]*[!-~][ -~]*$"},
    "example": "7f3c1f6e-3b0e-4a52-9a4e-5d0d5a4f6c11",
}
REPLAYED = {"Idempotency-Replayed": ("`true` when this is the answer that was given before; else absent.", "true")}
ONCE = "Sent to WorkOS once, with exactly the keys you sent."
REFUSED = "What WorkOS refuses comes back with its status, `code`, `errors` and words."
BLIND = "When WorkOS does not answer, there is nothing that could be looked for, and a 504 says so."
LOOKED = """\
When WorkOS does not answer, we look whether it was done, and answer as if it had. If it does not show, a 504 says \
what was looked for: the request may still be on its way. Repeat it with the same `Idempotency-Key`; without one, look \
before you repeat it."""


def of_write(write: "Write") -> dict[str, Any]:
    """The description of a write."""
    name = f"{write.verb}_{write.resource.object}"
    parameters = [*(in_path(write, one) for one in names(write.path)), KEY]
    success = removed() if write.command.ends else replied(write)
    return {
        "name": name,
        "operation_id": name if not write.method else f"{name}_by_{write.method.lower()}",
        "tags": [write.tag or write.resource.name],
        "status_code": next(iter(success)),
        "summary": write.summary or f"{words(write.verb).capitalize()} {noun(write)} at WorkOS",
        "description": described(write),
        "response_model": None if write.command.ends else model(write),
        "responses": {**success, **failing(write)},
        "openapi_extra": {"parameters": parameters, **sent(write)},
    }


def described(write: "Write") -> str:
    """What a write does, and what happens when something goes wrong."""
    look = BLIND if write.command.blind else LOOKED
    once = ONCE if write.forwards else "Sent to WorkOS once."
    return " ".join(sentence for sentence in (write.told, once, shown(write), REFUSED, look) if sentence)


def shown(write: "Write") -> str:
    """What the copy shows of a write."""
    thing = words(write.resource.object)
    if write.command.ends:
        return f"The {thing} is gone from the copy before you are answered; not yet when WorkOS answers 202."
    if write.command.shows is None:
        return "WorkOS's answer holds nothing that the copy could show; its events bring that."
    return f"WorkOS's {thing} is in the copy before you are answered."


def replied(write: "Write") -> dict[int | str, Any]:
    """The success of a write that is answered with an object."""
    shape = model(write)
    if shape is None:
        return {204: {"description": "It is done.", "headers": documented(REPLAYED | EVERYWHERE)}}
    example, thing = example_of(shape), words(write.resource.object)
    headers = dict(REPLAYED)
    if write.command.makes and write.command.status == HTTPStatus.CREATED:
        known = ":".join(str(example.get(name, "")) for name in write.command.key)
        headers = {"Location": (f"Where the {thing} is.", f"/api/{write.resource.name}/{known}")} | headers
    what = inspect.getdoc(write.reply) if write.reply else f"The {thing} as it is at WorkOS now."
    return {int(write.command.status): answered(what or "", example, headers)}


def removed() -> dict[int | str, Any]:
    """The successes of a write that ends something."""
    headers = documented(REPLAYED | EVERYWHERE)
    return {
        204: {"description": "It is gone.", "headers": headers},
        202: {"description": "WorkOS has accepted it and is at work.", "headers": headers},
    }


def model(write: "Write") -> type[BaseModel] | None:
    """The form of the answer; None when it has none."""
    return write.reply or (None if write.command.shows is None or write.command.lacks else write.resource.shape)


def failing(write: "Write") -> dict[int | str, Any]:
    """The problems of a write, and the next step of one that may need it."""
    found = failures((*FAILURES, *missing(write), *write.fails), REPLAYED)
    return found | {status: merged(answer, found.get(status, answer)) for status, answer in next_step(write).items()}


def next_step(write: "Write") -> dict[int | str, Any]:
    """The 403 of a write that may need one more step."""
    if write.leads_on is None:
        return {}
    example = problems.example(problems.REFUSED) | {"status": 403, "errors": None, **write.leads_on}
    told = {name: value for name, value in example.items() if value is not None}
    shown = {"schema": reference(ProblemDocument), "examples": {"next-step": {"value": told}}}
    return {403: {"description": "One more step is needed.", "headers": documented(REPLAYED | EVERYWHERE),
                  "content": {"application/problem+json": shown}}}  # fmt: skip


def missing(write: "Write") -> tuple[problems.Kind, ...]:
    """That WorkOS has no such object: one that the path names, or one that the body does."""
    return (problems.NOT_FOUND,) if names(write.path) or write.body is not None else ()


def sent(write: "Write") -> dict[str, Any]:
    """The body of a write."""
    if write.body is None:
        return {}
    content = {"application/json": {"schema": reference(write.body), "example": example_of(write.body)}}
    return {"requestBody": {"required": write.needy, "content": content}}


def names(path: str) -> list[str]:
    """The names of the ids in a path."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def in_path(write: "Write", name: str) -> dict[str, Any]:
    """An id in the path."""
    example = example_of(write.resource.shape).get(name, "...")
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": example}


def noun(write: "Write") -> str:
    """The object with its article."""
    thing = words(write.resource.object)
    return f"{'an' if thing[0] in 'aeio' else 'a'} {thing}"
