from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, departure, errors, organization_memberships, pages, replies, sessions
from user_management.sandbox.store import Store, store_of

FIELDS: Final = {
    "email": bodies.TEXT,
    "first_name": bodies.NULLABLE_TEXT,
    "last_name": bodies.NULLABLE_TEXT,
    "name": bodies.NULLABLE_TEXT,
    "email_verified": bodies.NULLABLE_FLAG,
    "metadata": bodies.NULLABLE_OBJECT,
    "external_id": bodies.NULLABLE_TEXT,
    "locale": bodies.NULLABLE_TEXT,
    "password": bodies.NULLABLE_TEXT,
    "password_hash": bodies.TEXT,
    "password_hash_type": bodies.TEXT,
}
_PLAIN: Final = ("first_name", "last_name", "name", "locale", "external_id")
_HASH_TYPES: Final = {"bcrypt", "firebase-scrypt", "ssha", "ssha256", "scrypt", "pbkdf2", "argon2"}
_PASSWORD_LENGTH: Final = 10


def blank(user_id: str, email: str, moment: int) -> dict[str, Any]:
    """A user of whom nothing is known but the address; every key WorkOS sends is there."""
    created_at = clock.stamp(moment)
    return {
        "object": "user",
        "id": user_id,
        "email": email,
        "email_verified": False,
        "first_name": None,
        "last_name": None,
        "name": None,
        "profile_picture_url": None,
        "external_id": None,
        "metadata": {},
        "last_sign_in_at": None,
        "locale": None,
        "created_at": created_at,
        "updated_at": created_at,
    }


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new user; 400 `user_creation_error` when the address is taken or is none."""
    email = normal(fields["email"])
    if not is_email(email):
        raise _creation_error("invalid_email", "This email is invalid.")
    if email in store.emails:
        raise _creation_error("email_not_available", "This email is not available.")
    _check_password(fields)
    _check_external_id(store, fields, None)
    moment = store.now()
    user = blank(store.new_id("user", moment), email, moment)
    _assign(user, fields)
    _save(store, user, fields)
    store.emit("user.created", store.users.write(user), moment)
    return user


def update(store: Store, user_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Change a user; a change of nothing emits nothing, a new address is unverified until told otherwise."""
    user = get(store, user_id)
    _check_password(fields)
    _check_external_id(store, fields, user_id)
    former = dict(user)
    if "email" in fields:
        _change_email(store, user, normal(fields["email"]))
    _assign(user, fields)
    previous = {key: value for key, value in former.items() if user[key] != value}
    _save(store, user, fields, former)
    if previous:
        moment = store.now()
        user["updated_at"] = clock.stamp(moment)
        store.emit("user.updated", store.users.write(user), moment, previous=previous)
    return user


def delete(store: Store, user_id: str) -> None:
    """Remove a user, its memberships and its sessions for good, and free its address."""
    user = get(store, user_id)
    organization_memberships.delete_all(store, store.roster.of_user(user_id))
    sessions.forget(store, user_id)
    store.codes.forget(user_id)
    departure.user(store, user_id)
    blob = store.users.blobs[user_id]
    store.users.remove(user_id)
    store.users.external_ids.pop(user["external_id"], None)
    del store.emails[user["email"]]
    store.passwords.pop(user_id, None)
    store.emit("user.deleted", blob, store.now())


def normal(email: str) -> str:
    """An address as WorkOS stores it: trimmed and in lower case."""
    return email.strip().lower()


def is_email(text: str) -> bool:
    """Whether a text may be an address."""
    local, _, domain = text.partition("@")
    return bool(local and domain) and "@" not in domain and not any(character.isspace() for character in text)


def weaknesses(password: str) -> list[dict[str, str]]:
    """What is wrong with a password, as `errors` lists it."""
    if len(password) >= _PASSWORD_LENGTH:
        return []
    return [{"code": "password_too_short", "message": f"Use at least {_PASSWORD_LENGTH} characters."}]


def get(store: Store, user_id: str) -> dict[str, Any]:
    """The user of an id, or 404."""
    user = store.users.read(user_id)
    if user is None:
        raise errors.not_found("User", user_id)
    return user


def _assign(user: dict[str, Any], fields: dict[str, Any]) -> None:
    user.update({name: fields[name] for name in _PLAIN if name in fields})
    if "metadata" in fields:
        user["metadata"] = bodies.merge_metadata(user["metadata"], fields["metadata"])
    if fields.get("email_verified") is not None:
        user["email_verified"] = fields["email_verified"]


def _save(store: Store, user: dict[str, Any], fields: dict[str, Any], former: dict[str, Any] | None = None) -> None:
    """Bring the indexes and the password in step with a user."""
    if former is not None and former["email"] != user["email"]:
        del store.emails[former["email"]]
    store.emails[user["email"]] = user["id"]
    store.users.name(user, former)
    if fields.get("password") is not None:
        store.passwords[user["id"]] = fields["password"]


def _change_email(store: Store, user: dict[str, Any], email: str) -> None:
    if email == user["email"]:
        return
    if not is_email(email):
        raise errors.refused("invalid_email", "This email is invalid.")
    if email in store.emails:
        raise errors.refused("email_not_available", "This email is not available.")
    user["email"], user["email_verified"] = email, False


def _check_password(fields: dict[str, Any]) -> None:
    password = fields.get("password")
    if password is not None and "password_hash" in fields:
        raise errors.refused("password_and_password_hash_provided")
    if password is not None and "password_hash_type" in fields:
        raise errors.refused("password_and_password_hash_type_provided")
    if ("password_hash" in fields) != ("password_hash_type" in fields):
        raise errors.refused("invalid_password_hash")
    if fields.get("password_hash_type", "bcrypt") not in _HASH_TYPES:
        raise errors.invalid("password_hash_type", "password_hash_type_invalid")
    problems = weaknesses(password) if password is not None else []
    if problems:
        raise errors.refused("password_strength_error", "Password does not meet the requirements.", errors=problems)


def _check_external_id(store: Store, fields: dict[str, Any], owner: str | None) -> None:
    if store.users.external_ids.get(fields.get("external_id", ""), owner) != owner:
        raise errors.refused("external_id_already_used", "This external_id is already used.")


def _creation_error(code: str, message: str) -> errors.ApiError:
    problem = {"code": code, "message": message}
    return errors.refused("user_creation_error", "Could not create user.", errors=[problem])


async def list_users(request: Request) -> Response:
    """Users, newest first unless told, of one address (without regard to case) or of one organization."""
    store, parameters = store_of(request), request.query_params
    wanted = pages.cut(parameters, store.users.blobs)
    ids: Sequence[str] = store.users.ids
    organization_id = parameters.get("organization_id") or parameters.get("organization")
    if organization_id:
        ids = store.roster.members(organization_id)
    if parameters.get("email"):
        found = store.emails.get(normal(parameters["email"]))
        ids = [found] if found is not None and (not organization_id or found in ids) else []
    page = pages.take(ids, wanted)
    return replies.ok(pages.render([store.users.blobs[key] for key in page.ids], page))


async def create_user(request: Request) -> Response:
    """201 with the new user."""
    fields = await bodies.read(request, FIELDS, required=("email",))
    user = create(store_of(request), fields)
    return replies.wrote(request, user["id"], store_of(request).users.blobs[user["id"]], status=201)


async def get_user(request: Request) -> Response:
    """One user by id."""
    return _answer(request, request.path_params["id"], request.path_params["id"])


async def get_user_by_external_id(request: Request) -> Response:
    """One user by external id."""
    external_id = request.path_params["external_id"]
    return _answer(request, store_of(request).users.external_ids.get(external_id), external_id)


async def get_user_identities(request: Request) -> Response:
    """A bare array, and empty: nobody comes to the sandbox by way of another provider."""
    get(store_of(request), request.path_params["id"])
    return replies.ok(b"[]")


async def update_user(request: Request) -> Response:
    """The user after the change; fields that are left out stay as they are."""
    fields = await bodies.read(request, FIELDS)
    user = update(store_of(request), request.path_params["id"], fields)
    return replies.wrote(request, user["id"], store_of(request).users.blobs[user["id"]])


async def delete_user(request: Request) -> Response:
    """200 without a body."""
    delete(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"])


def _answer(request: Request, user_id: str | None, asked_for: str) -> Response:
    blob = store_of(request).users.blobs.get(user_id or "")
    if blob is None:
        raise errors.not_found("User", asked_for)
    return replies.ok(blob)


_PATH: Final = "/user_management/users"
ROUTES: Final = [
    Route(_PATH, list_users),
    Route(_PATH, create_user, methods=["POST"]),
    Route(_PATH + "/external_id/{external_id:path}", get_user_by_external_id),
    Route(_PATH + "/{id}", get_user),
    Route(_PATH + "/{id}/identities", get_user_identities),
    Route(_PATH + "/{id}", update_user, methods=["PUT"]),
    Route(_PATH + "/{id}", delete_user, methods=["DELETE"]),
]
