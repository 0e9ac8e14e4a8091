from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from user_management.sandbox import bodies, clock, derive, errors, listing, replies
from user_management.sandbox.store import Store, store_of

CREATION: Final = {"domain": bodies.TEXT, "organization_id": bodies.TEXT}
FAILED: Final = "failed"
PENDING: Final = "pending"
VERIFIED: Final = "verified"
HOPELESS: Final = ".invalid"
"""Domains that end so never verify: nobody can own them (RFC 2606)."""
_SECRETS: Final = ("verification_prefix", "verification_token")


def blank(store: Store, organization_id: str, name: str, state: str, moment: int) -> dict[str, Any]:
    """A domain as organizations carry it: without what its owner must put into the DNS."""
    return {
        "object": "organization_domain",
        "id": store.new_id("org_domain", moment),
        "organization_id": organization_id,
        "domain": name,
        "state": state,
        "verification_strategy": "manual" if state == VERIFIED else "dns",
        "created_at": clock.stamp(moment),
        "updated_at": clock.stamp(moment),
    }


def file(store: Store, domain: dict[str, Any]) -> bytes:
    """Keep a domain as an object of its own, with the prefix and the token that prove its owner; its JSON."""
    if domain["verification_strategy"] == "dns":
        prefix = f"sandbox-domain-verification-{derive.text(store, 'prefix', domain['id'], 6).lower()}"
        domain = domain | {
            "verification_prefix": prefix,
            "verification_token": derive.text(store, "domain", domain["id"]),
        }
    return store.organization_domains.write(domain)


def tell(store: Store, verb: str, domains: list[dict[str, Any]], moment: int) -> None:
    """Bring the domains' own objects in step with their organization, with an event for each."""
    for domain in domains:
        blob = file(store, domain)
        if verb == "deleted":
            store.organization_domains.remove(domain["id"])
        store.emit(f"organization_domain.{verb}", blob, moment, domain["organization_id"])


def create(store: Store, organization_id: str, name: str) -> dict[str, Any]:
    """A new domain, pending; 409 when somebody has it."""
    listing.organization(store, organization_id)
    name = name.strip().lower()
    if name in store.domains:
        message = f"Domain already exists: '{name}'."
        raise errors.ApiError(409, {"message": message, "code": "domain_already_exists"})
    moment = store.now()
    domain = blank(store, organization_id, name, PENDING, moment)
    store.domains[name] = organization_id
    _embed(store, domain, moment)
    tell(store, "created", [domain], moment)
    return listing.one(store.organization_domains, domain["id"])


def verify(store: Store, domain_id: str) -> dict[str, Any]:
    """Look at the DNS, at once: a domain verifies unless it is hopeless; what failed before begins anew."""
    domain = listing.one(store.organization_domains, domain_id)
    if domain["state"] == VERIFIED:
        raise errors.refused("domain_already_verified", "Domain is already verified.")
    if domain["state"] == FAILED:
        domain = _change(store, domain, PENDING, "updated")
    return fail(store, domain_id) if domain["domain"].endswith(HOPELESS) else _change(store, domain, VERIFIED)


def fail(store: Store, domain_id: str, reason: str = "domain_verification_period_expired") -> dict[str, Any]:
    """Give up on a domain; the event carries it beside the reason."""
    domain, moment = listing.one(store.organization_domains, domain_id), store.now()
    domain = _save(store, domain, FAILED, moment)
    data = orjson.dumps({"reason": reason, "organization_domain": domain})
    store.emit("organization_domain.verification_failed", data, moment, domain["organization_id"])
    return domain


def delete(store: Store, domain_id: str) -> None:
    """Take a domain from its organization and free it."""
    domain, moment = listing.one(store.organization_domains, domain_id), store.now()
    del store.domains[domain["domain"]]
    _embed(store, domain, moment, gone=True)
    tell(store, "deleted", [domain], moment)


def forget(store: Store, organization_id: str) -> None:
    """Drop the domains of a deleted organization and free them, without a word."""
    for domain in store.organization_domains.all("organization_id", organization_id):
        store.domains.pop(domain["domain"], None)
        store.organization_domains.remove(domain["id"])


def _change(store: Store, domain: dict[str, Any], state: str, verb: str = "verified") -> dict[str, Any]:
    moment = store.now()
    domain = _save(store, domain, state, moment)
    blob = store.organization_domains.blobs[domain["id"]]
    store.emit(f"organization_domain.{verb}", blob, moment, domain["organization_id"])
    return domain


def _save(store: Store, domain: dict[str, Any], state: str, moment: int) -> dict[str, Any]:
    domain = domain | {"state": state, "updated_at": clock.stamp(moment)}
    store.organization_domains.write(domain)
    _embed(store, domain, moment)
    return domain


def _embed(store: Store, domain: dict[str, Any], moment: int, *, gone: bool = False) -> None:
    """Show a domain in its organization as it is now, which changes the organization."""
    organization = listing.one(store.organizations, domain["organization_id"])
    shown = {key: value for key, value in domain.items() if key not in _SECRETS}
    former = organization["domains"]
    others = [shown if one["id"] == domain["id"] else one for one in former]
    known = any(one["id"] == domain["id"] for one in former)
    organization["domains"] = [one for one in others if not (gone and one["id"] == domain["id"])]
    if not known:
        organization["domains"].append(shown)
    organization["updated_at"] = clock.stamp(moment)
    store.organizations.write(organization)
    lean = {key: value for key, value in organization.items() if key != "allow_profiles_outside_organization"}
    store.emit("organization.updated", orjson.dumps(lean), moment, organization["id"], {"domains": former})


async def create_organization_domain(request: Request) -> Response:
    """201 with the new domain."""
    fields = await bodies.read(request, CREATION, required=("domain", "organization_id"))
    domain = create(store_of(request), fields["organization_id"], fields["domain"])
    return replies.wrote(request, domain["id"], orjson.dumps(domain), status=201)


async def get_organization_domain(request: Request) -> Response:
    """One domain by id."""
    return replies.ok(orjson.dumps(listing.one(store_of(request).organization_domains, request.path_params["id"])))


async def verify_organization_domain(request: Request) -> Response:
    """201 with the domain, verified or not."""
    domain = verify(store_of(request), request.path_params["id"])
    return replies.wrote(request, domain["id"], orjson.dumps(domain), status=201)


async def delete_organization_domain(request: Request) -> Response:
    """204."""
    delete(store_of(request), request.path_params["id"])
    return replies.wrote(request, request.path_params["id"], status=204)


ROUTES: Final = [
    Route("/organization_domains", create_organization_domain, methods=["POST"]),
    Route("/organization_domains/{id}", get_organization_domain),
    Route("/organization_domains/{id}", delete_organization_domain, methods=["DELETE"]),
    Route("/organization_domains/{id}/verify", verify_organization_domain, methods=["POST"]),
]
