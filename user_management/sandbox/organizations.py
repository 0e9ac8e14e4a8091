from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import (
    bodies,
    clock,
    departure,
    errors,
    organization_domains,
    organization_memberships,
    pages,
    replies,
)
from user_management.sandbox.store import Store, store_of

FIELDS: Final = {
    "name": bodies.TEXT,
    "allow_profiles_outside_organization": bodies.FLAG,
    "domains": bodies.ARRAY,
    "domain_data": bodies.ARRAY,
    "metadata": bodies.NULLABLE_OBJECT,
    "external_id": bodies.NULLABLE_TEXT,
    "stripe_customer_id": bodies.NULLABLE_TEXT,
}
_DOMAIN_FIELDS: Final = {"domain": bodies.TEXT, "state": bodies.TEXT}
_REST_ONLY: Final = "allow_profiles_outside_organization"


def blank(organization_id: str, name: str, moment: int) -> dict[str, Any]:
    """An organization of which only the name is known, in the shape of the REST API."""
    created_at = clock.stamp(moment)
    return {
        "object": "organization",
        "id": organization_id,
        "name": name,
        "domains": [],
        "metadata": {},
        "external_id": None,
        "created_at": created_at,
        "updated_at": created_at,
        _REST_ONLY: False,
    }


def lean(organization: dict[str, Any]) -> bytes:
    """The JSON of an organization as events carry it: without what only the REST API tells."""
    return orjson.dumps({key: value for key, value in organization.items() if key != _REST_ONLY})


def create(store: Store, fields: dict[str, Any]) -> dict[str, Any]:
    """A new organization with its domains."""
    moment = store.now()
    organization = blank(store.new_id("org", moment), fields["name"], moment)
    _check(store, fields, organization["id"])
    _assign(organization, fields)
    added = _set_domains(store, organization, fields, moment)
    _save(store, organization)
    store.emit("organization.created", lean(organization), moment, organization["id"])
    organization_domains.tell(store, "created", added, moment)
    return organization


def update(store: Store, organization_id: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Change an organization; a change of nothing emits nothing."""
    organization, moment = _get(store, organization_id), store.now()
    _check(store, fields, organization_id)
    former = dict(organization)
    _assign(organization, fields)
    added = _set_domains(store, organization, fields, moment)
    previous = {key: former.get(key) for key in former | organization if former.get(key) != organization.get(key)}
    kept = {one["id"] for one in organization["domains"]}
    gone = [one for one in former["domains"] if one["id"] not in kept]
    if previous:
        organization["updated_at"] = clock.stamp(moment)
        _save(store, organization, former)
        store.emit("organization.updated", lean(organization), moment, organization_id, previous)
        organization_domains.tell(store, "deleted", gone, moment)
        organization_domains.tell(store, "created", added, moment)
    return organization


def delete(store: Store, organization_id: str) -> None:
    """Remove an organization and all that belongs to it for good, and free its domains."""
    organization = _get(store, organization_id)
    organization_memberships.delete_all(store, store.roster.of_organization(organization_id))
    departure.organization(store, organization_id)
    store.organizations.remove(organization_id)
    store.organizations.external_ids.pop(organization["external_id"], None)
    store.emit("organization.deleted", lean(organization), store.now(), organization_id)


def _get(store: Store, organization_id: str) -> dict[str, Any]:
    organization = store.organizations.read(organization_id)
    if organization is None:
        raise errors.not_found("Organization", organization_id)
    return organization


def _assign(organization: dict[str, Any], fields: dict[str, Any]) -> None:
    plain = ("name", "external_id", _REST_ONLY)
    organization.update({name: fields[name] for name in plain if name in fields})
    if "metadata" in fields:
        organization["metadata"] = bodies.merge_metadata(organization["metadata"], fields["metadata"])
    if fields.get("stripe_customer_id") is not None:
        organization["stripe_customer_id"] = fields["stripe_customer_id"]
    elif "stripe_customer_id" in fields:
        organization.pop("stripe_customer_id", None)


def _save(store: Store, organization: dict[str, Any], former: dict[str, Any] | None = None) -> None:
    store.organizations.name(organization, former)
    store.organizations.write(organization)


def _check(store: Store, fields: dict[str, Any], owner: str) -> None:
    """Refuse what another organization has already, and an empty name."""
    if fields.get("name", "-").strip() == "":
        raise errors.invalid("name", "name_required", "name must not be empty.")
    if store.organizations.external_ids.get(fields.get("external_id", ""), owner) != owner:
        raise errors.refused("external_id_already_used", "This external_id is already used.")
    for name, _ in _wanted_domains(fields) or []:
        if store.domains.get(name, owner) != owner:
            message = f"The domain '{name}' belongs to another organization."
            raise errors.ApiError(409, {"message": message})


def _wanted_domains(fields: dict[str, Any]) -> list[tuple[str, str]] | None:
    """The domains a request names, with their states; None when it is silent about them."""
    if "domain_data" not in fields:
        names = bodies.texts("domains", fields["domains"]) if "domains" in fields else None
        return None if names is None else [(name.strip().lower(), "verified") for name in names]
    wanted = [bodies.check(one, _DOMAIN_FIELDS, ("domain", "state")) for one in fields["domain_data"]]
    if any(one["state"] not in {"pending", "verified"} for one in wanted):
        raise errors.invalid("domain_data", "state_invalid", "state must be pending or verified.")
    return [(one["domain"].strip().lower(), one["state"]) for one in wanted]


def _set_domains(
    store: Store, organization: dict[str, Any], fields: dict[str, Any], moment: int
) -> list[dict[str, Any]]:
    """Replace the domains by those a request names, and return the new ones."""
    wanted = _wanted_domains(fields)
    if wanted is None:
        return []
    existing = {one["domain"]: one for one in organization["domains"]}
    domains = [
        existing.get(name) or organization_domains.blank(store, organization["id"], name, state, moment)
        for name, state in dict(wanted).items()
    ]
    for name in existing:
        del store.domains[name]
    store.domains.update({one["domain"]: organization["id"] for one in domains})
    organization["domains"] = domains
    return [one for one in domains if one["domain"] not in existing]


async def list_organizations(request: Request) -> Response:
    """Organizations, newest first unless told, that own one of the domains or whose name holds the search text."""
    store, parameters = store_of(request), request.query_params
    wanted = pages.cut(parameters, store.organizations.blobs)
    ids = store.organizations.ids
    names = [*parameters.getlist("domains"), *parameters.getlist("domains[]")]
    if names:
        ids = _owners(store, names)
    if parameters.get("search"):
        ids = _named(store, ids, parameters["search"])
    page = pages.take(ids, wanted)
    return replies.ok(pages.render([store.organizations.blobs[key] for key in page.ids], page))


def _owners(store: Store, texts: list[str]) -> list[str]:
    names = (name.strip().lower() for text in texts for name in text.split(","))
    return sorted({store.domains[name] for name in names if name in store.domains})


def _named(store: Store, ids: list[str], text: str) -> list[str]:
    """Reads every organization: a search is rare, and there are far fewer organizations than users."""
    blobs = store.organizations.blobs
    return [key for key in ids if text.lower() in orjson.loads(blobs[key])["name"].lower()]


async def create_organization(request: Request) -> Response:
    """201 with the new organization."""
    fields = await bodies.read(request, FIELDS, required=("name",))
    organization = create(store_of(request), fields)
    return replies.wrote(request, organization["id"], orjson.dumps(organization), status=201)


async def get_organization(request: Request) -> Response:
    """One organization by id."""
    return replies.ok(orjson.dumps(_get(store_of(request), request.path_params["id"])))


async def get_organization_by_external_id(request: Request) -> Response:
    """One organization by external id."""
    store, external_id = store_of(request), request.path_params["external_id"]
    organization_id = store.organizations.external_ids.get(external_id)
    if organization_id is None:
        raise errors.not_found("Organization", external_id)
    return replies.ok(store.organizations.blobs[organization_id])


async def update_organization(request: Request) -> Response:
    """The organization after the change; fields that are left out stay as they are."""
    fields = await bodies.read(request, FIELDS)
    organization = update(store_of(request), request.path_params["id"], fields)
    return replies.wrote(request, organization["id"], orjson.dumps(organization))


async def delete_organization(request: Request) -> Response:
    """200 without a body."""
    delete(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"])


ROUTES: Final = [
    Route("/organizations", list_organizations),
    Route("/organizations", create_organization, methods=["POST"]),
    Route("/organizations/external_id/{external_id:path}", get_organization_by_external_id),
    Route("/organizations/{id}", get_organization),
    Route("/organizations/{id}", update_organization, methods=["PUT"]),
    Route("/organizations/{id}", delete_organization, methods=["DELETE"]),
]
