from typing import Any

from user_management.tests.sandbox.conftest import WorkOS

DOMAINS = "/organization_domains"
EVENTS = ",".join(
    f"organization_domain.{verb}" for verb in ("created", "updated", "deleted", "verified", "verification_failed")
)


async def kinds(workos: WorkOS) -> list[str]:
    """What happened to domains, in order."""
    return [event["event"].partition(".")[2] for event in await workos.events(EVENTS)]


async def added(workos: WorkOS, domain: str = "anchor.example") -> Any:
    """A new pending domain of a new organization."""
    organization = await workos.organization()
    return await workos.send("POST", DOMAINS, {"domain": domain, "organization_id": organization["id"]}, 201)


async def test_a_domain_is_an_object_of_its_own_and_part_of_its_organization(workos: WorkOS) -> None:
    """What proves its owner stands in the object alone."""
    domain = await added(workos)
    assert await workos.get(f"{DOMAINS}/{domain['id']}") == domain
    organization = await workos.get(f"/organizations/{domain['organization_id']}")
    secrets = {"verification_prefix", "verification_token"}
    assert organization["domains"] == [{key: domain[key] for key in domain if key not in secrets}]
    assert (domain["state"], secrets <= set(domain)) == ("pending", True)


async def test_the_domains_of_an_organization_are_objects_too(workos: WorkOS) -> None:
    """Created and dropped with `domain_data`, they are found by id, and events tell of both."""
    organization = await workos.organization(domain_data=[{"domain": "anchor.example", "state": "verified"}])
    (domain,) = organization["domains"]
    assert await workos.get(f"{DOMAINS}/{domain['id']}") == domain
    await workos.send("PUT", f"/organizations/{organization['id']}", {"domain_data": []})
    await workos.get(f"{DOMAINS}/{domain['id']}", 404)
    assert await kinds(workos) == ["created", "deleted"]


async def test_verification_succeeds_once(workos: WorkOS) -> None:
    """A verified domain shows in its organization, and is not verified again."""
    domain = await added(workos)
    verified = await workos.send("POST", f"{DOMAINS}/{domain['id']}/verify", status=201)
    organization = await workos.get(f"/organizations/{domain['organization_id']}")
    assert (verified["state"], organization["domains"][0]["state"]) == ("verified", "verified")
    again = await workos.send("POST", f"{DOMAINS}/{domain['id']}/verify", status=400)
    assert again["code"] == "domain_already_verified"
    assert await kinds(workos) == ["created", "verified"]


async def test_a_failed_verification_nests_the_domain(workos: WorkOS) -> None:
    """The event carries a reason and the domain; a second attempt begins anew."""
    domain = await added(workos, "anchor.invalid")
    failed = await workos.send("POST", f"{DOMAINS}/{domain['id']}/verify", status=201)
    told = (await workos.events(EVENTS))[-1]["data"]
    assert told == {"reason": "domain_verification_period_expired", "organization_domain": failed}
    await workos.send("POST", f"{DOMAINS}/{domain['id']}/verify", status=201)
    assert await kinds(workos) == ["created", "verification_failed", "updated", "verification_failed"]


async def test_a_domain_has_one_owner_and_is_free_again(workos: WorkOS) -> None:
    """Taken it is a 409; deleted, or with its organization gone, anybody may have it."""
    domain = await added(workos)
    other = await workos.organization("Other")
    wanted = {"domain": "Anchor.example", "organization_id": other["id"]}
    assert (await workos.send("POST", DOMAINS, wanted, 409))["code"] == "domain_already_exists"
    await workos.send("DELETE", f"{DOMAINS}/{domain['id']}", status=204)
    theirs = await workos.send("POST", DOMAINS, wanted, 201)
    await workos.send("DELETE", f"/organizations/{other['id']}")
    await workos.get(f"{DOMAINS}/{theirs['id']}", 404)
    await added(workos)
    assert await kinds(workos) == ["created", "deleted", "created", "created"]
