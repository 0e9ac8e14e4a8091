"""Commands: what we ask WorkOS to do for a caller. Sent once: WorkOS does not deduplicate, so nothing here retries.

Each says where at WorkOS that which it does can be looked for, which is what remains to be done when no answer comes.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, TypeAlias

from user_management.services.workos.bucket import Priority
from user_management.services.workos.client import Answer, Given, WorkOS
from user_management.services.workos.errors import ObjectNotFound, OutcomeUnknown, Refused
from user_management.services.workos.matching import alike

GRACE = 5.0
"""Seconds beyond the timeout of its parts after which a request is given up as a whole."""

Wanted: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""Whether an object is as the fields that were sent want it to be."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A place where WorkOS would show what a command did: one object, a list, or (`within`) a list in one object."""

    by: str
    path: tuple[str, ...]
    params: Mapping[str, str] | None = None
    within: str = ""
    names: tuple[str, ...] = ()
    """The keys that tell what was made from its neighbours; none where one object at most can be shown."""


Traces: TypeAlias = Callable[[Mapping[str, Any]], Iterable[Trace]]
"""Where to look for what was made, from what was sent and the ids of the path."""


def nowhere(_fields: Mapping[str, Any]) -> Iterable[Trace]:
    """No traces: an unknown outcome then stays unknown."""
    return ()


@dataclass(frozen=True, slots=True)
class Command:
    """A write at WorkOS: how to ask for it, what its reply holds, and where to look when there is no reply.

    A `{name}` in a path stands for an id of the caller's (`of` fills it in). What was done shows at `place`, where the
    object is as `wanted` or, if the command `ends` it, is no more; what was made anew shows in one of its `traces`.
    """

    method: str
    path: tuple[str, ...]
    traces: Traces = nowhere
    like: Wanted = alike
    """Whether what was made anew is as it was sent, as far as it shows."""
    taken: frozenset[str] = frozenset()
    """WorkOS's codes for: this is so already, perhaps by this very write."""
    shows: tuple[str, ...] | None = ()
    """The keys that lead to the object in the reply; none if the reply is the object, None if it has no object."""
    key: tuple[str, ...] = ("id",)
    """The keys an object is known by; what its reply lacks of them is taken from the path."""
    accepts: bool = False
    """Whether the object is what was asked for, named by the path and the body: WorkOS replies with something else."""
    ends: bool = False
    place: tuple[str, ...] | None = None
    wanted: Wanted | None = None
    names: tuple[str, ...] = ()
    """The ids of the path that are part of what is wanted."""
    lacks: bool = False
    """Whether WorkOS may reply without the object: then it is fetched from its `place`, or left to its event."""
    repeatable: bool = False
    """Whether doing it twice is doing it once, so that a repeat may be sent though nothing can be looked at."""
    status: int = HTTPStatus.OK
    """How success is answered when WorkOS's own answer was lost."""
    sends: Mapping[str, str] = field(default_factory=dict)
    """Keys of WorkOS's body that are ids of our path, and by which name."""
    secret: bool = False
    """Whether the reply tells a secret: the caller is given it as it came, and nothing else ever is."""
    hides: frozenset[str] = frozenset()
    """The keys of the object that are the secret: they are not part of it for the copy."""
    credentials: bool = False
    """Whether WorkOS wants our client id and secret in the body."""
    personal: bool = False
    """Whether WorkOS limits it for each person, so that its 429 is the caller's and says nothing of our budget."""
    ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def makes(self) -> bool:
        """Whether it makes something that was not there before."""
        return not self.repeatable and self.wanted is None and self.shows is not None

    @property
    def blind(self) -> bool:
        """Whether nothing can be looked at, wherever it is sent from."""
        return self.place is None and self.traces is nowhere

    def of(self, ids: Mapping[str, str]) -> "Command":
        """The command with the ids of a request in its paths."""
        return replace(self, path=filled(self.path, ids), place=self.place and filled(self.place, ids), ids=dict(ids))

    def looked_for(self, fields: Mapping[str, Any]) -> list[Trace]:
        """Where to look, in this order."""
        if self.place is not None:
            return [Trace(self.key[-1], self.place)]
        return list(self.traces({**fields, **self.ids}))

    def wants(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an object is to be like: what was sent, and what the path names of it."""
        return {**fields, **{name: self.ids[name] for name in self.names}}

    def sent(self, fields: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The body for WorkOS: what the caller sent, and what our path says instead."""
        ours = {name: self.ids[given] for name, given in self.sends.items()}
        return {**(fields or {}), **ours} if ours else fields

    def told(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """An object as the reply would have held it."""
        for name in reversed(self.shows or ()):
            found = {name: found}
        return found


def creation(path: tuple[str, ...], traces: Traces = nowhere, taken: Iterable[str] = (), **more: Any) -> Command:
    """Make an object."""
    return Command("post", path, traces, taken=frozenset(taken), status=HTTPStatus.CREATED, **more)


def change(method: str, path: tuple[str, ...], wanted: Wanted, **more: Any) -> Command:
    """Bring the object at `path`, or at a `place` of its own, into a state: doing so twice is doing it once."""
    return Command(method, path, wanted=wanted, repeatable=True, **{"place": path, **more})


def removal(path: tuple[str, ...], **more: Any) -> Command:
    """End the object at `path`."""
    return Command("delete", path, ends=True, repeatable=True, **{"place": path, **more})


@dataclass(frozen=True, slots=True)
class Done:
    """What WorkOS did: its status and words, and the object as it is now (`made`), or that it is no more (`ended`)."""

    status: int
    body: Any = None
    made: dict[str, Any] | None = None
    ended: bool = False


async def send(workos: WorkOS, command: Command, fields: Mapping[str, Any] | None) -> Done:
    """What WorkOS did; `OutcomeUnknown` when the answer does not tell, or not in time."""
    try:
        async with asyncio.timeout(workos.timeout + GRACE):
            ours = workos.credentials if command.credentials else {}
            body = {**(command.sent(fields) or {}), **ours} if ours else command.sent(fields)
            writing = workos.at(Priority.WRITE)
            answer = await writing.ask(command.method, command.path, body=body, personal=command.personal)
    except TimeoutError as error:
        raise OutcomeUnknown("WorkOS took too long to answer; it may or may not have done what was asked") from error
    return understood(command, answer, fields or {})


def understood(command: Command, answer: Answer, fields: Mapping[str, Any]) -> Done:
    """What a success says was done; one that does not say it leaves that open."""
    accepted = answer.status == HTTPStatus.ACCEPTED
    if command.ends:
        done = Done(answer.status, answer.body, ended=not accepted)
    elif command.shows is None:
        done = Done(answer.status, answer.body)
    else:
        said = {name: fields.get(name) for name in command.key} if command.accepts else answer.body
        done = Done(answer.status, answer.body, shown(command, said))
    if not answer.readable or (done.made is None and not accepted and promised(command, answer)):
        raise OutcomeUnknown("WorkOS accepted the request but its answer could not be read")
    return done


def promised(command: Command, answer: Answer) -> bool:
    """Whether an answer has to hold the object."""
    return command.shows is not None and not command.ends and not (command.lacks and answer.body is None)


def shown(command: Command, body: Any) -> dict[str, Any] | None:
    """The object in a reply, if it is the one that was asked for."""
    for name in command.shows or ():
        body = body.get(name) if isinstance(body, dict) else None
    return identified(command, body)


def identified(command: Command, found: Any) -> dict[str, Any] | None:
    """An object that has what it is known by, which is what the path named, and none of what it hides; else None."""
    if not isinstance(found, dict):
        return None
    named = {name: command.ids[name] for name in command.key if name in command.ids}
    made = {name: value for name, value in found.items() if name not in command.hides}
    # WorkOS's own id is in whatever has one: without it, the reply is something else.
    made |= {name: value for name, value in named.items() if name != "id" and made.get(name) is None}
    known = all(isinstance(made.get(name), str) and made[name] for name in command.key)
    return made if known and all(made[name] == value for name, value in named.items()) else None


def key_of(command: Command, found: Mapping[str, Any]) -> str | None:
    """What the copy knows an object by; None when not all of it is told."""
    parts = [found.get(name) for name in command.key]
    return ":".join(str(part) for part in parts) if all(parts) else None


def filled(path: tuple[str, ...], ids: Mapping[str, str]) -> tuple[str, ...]:
    """A path with ids in place of their names; the SDK keeps each within its segment."""
    return tuple(Given(ids[part[1:-1]]) if part.startswith("{") else part for part in path)


def taken(command: Command, error: Refused) -> bool:
    """Whether WorkOS refuses because it is so already, perhaps by this very write; where nobody can look, it may be."""
    said = error.refusal
    if command.blind or (command.ends and isinstance(error, ObjectNotFound)):
        return True
    return not command.taken.isdisjoint({said.code, *(str(one.get("code")) for one in said.errors)})
