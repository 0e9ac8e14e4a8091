"""What is done with WorkOS's SDK for Python, wherever it points; `node/script.mjs` does as much."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from workos import AsyncWorkOSClient
from workos._errors import APIError
from workos._pagination import AsyncPage
from workos.user_management import PasswordPlaintext

EVENTS = [
    "user.created", "user.updated", "user.deleted", "organization.created", "organization_membership.created",
    "organization_membership.updated",
]  # fmt: skip
STATUSES: Any = ["active", "inactive", "pending"]


@dataclass
class Transcript:
    """What was asked and what the SDK made of the answers, line by line."""

    client: AsyncWorkOSClient
    lines: list[str] = field(default_factory=list)

    async def one(self, name: str, answer: Awaitable[Any]) -> Any:
        """Note one answer, or the error it is."""
        try:
            found = await answer
        except APIError as error:
            said = (type(error).__name__, error.status_code, error.code, error.message, error.errors)
            self.lines.append(f"{name}: {said}")
            return None
        shown = (found.data, found.before, found.after) if isinstance(found, AsyncPage) else found
        self.lines.append(f"{name}: {shown}")
        return found

    async def all(self, name: str, page: Awaitable[AsyncPage[Any]]) -> list[Any]:
        """Note everything on this page and those behind it."""
        found = [one async for one in (await page).auto_paging_iter()]
        self.lines += [f"{name}[{number}]: {one}" for number, one in enumerate(found)]
        return found


async def lists(told: Transcript) -> None:
    """Page through everything, narrow it, and be refused."""
    users, organizations = told.client.user_management, told.client.organizations
    everyone = await told.all("all users", users.list_users(limit=7))
    companies = await told.all("all organizations", organizations.list_organizations(limit=2, order="asc"))
    await told.one("ten users", users.list_users())
    await told.one("back", users.list_users(limit=3, before=everyone[5].id))
    await told.one("by email", users.list_users(email=everyone[3].email))
    await told.one("by email in capitals", users.list_users(email=everyone[3].email.upper()))
    await told.one("by organization", users.list_users(organization_id=companies[0].id, limit=100))
    await told.one("of nobody", users.list_users(organization_id="org_01NOBODY"))
    await told.one("too many", users.list_users(limit=101))
    await told.one("behind nobody", users.list_users(after="user_01NOBODY"))
    await told.one("search", organizations.list_organizations(search=companies[1].name[:4]))
    await memberships(told, everyone[2].id, companies[0].id)
    await objects(told, everyone[2].id, companies[0].id)


async def memberships(told: Transcript, user_id: str, organization_id: str) -> None:
    """Who belongs where."""
    asked = told.client.organization_membership
    await told.one("memberships of nobody", asked.list_organization_memberships())
    await told.all("members", asked.list_organization_memberships(organization_id=organization_id, limit=5))
    of_user = asked.list_organization_memberships(user_id=user_id, statuses=STATUSES)
    for one in await told.all("memberships", of_user):
        await told.one("membership", asked.get_organization_membership(one.id))
    await told.one("no membership", asked.get_organization_membership("om_01NOBODY"))


async def objects(told: Transcript, user_id: str, organization_id: str) -> None:
    """One by one, and those that are not there."""
    users, organizations = told.client.user_management, told.client.organizations
    await told.one("user", users.get_user(user_id))
    await told.one("no user", users.get_user("user_01NOBODY"))
    await told.one("by external id", users.get_user_by_external_id("a/b c"))
    await told.one("by no external id", users.get_user_by_external_id("nobody"))
    await told.one("organization", organizations.get_organization(organization_id))
    await told.one("no organization", organizations.get_organization("org_01NOBODY"))
    await told.one("by external id", organizations.get_organization_by_external_id("nobody"))
    await told.one("roles", told.client.authorization.list_environment_roles())
    await told.one("its roles", told.client.authorization.list_organization_roles(organization_id))


async def writes(told: Transcript) -> None:
    """Create, change, delete, and look after each."""
    users, organizations = told.client.user_management, told.client.organizations
    made = await told.one(
        "create", users.create_user(email="Ada@Example.com", password=PasswordPlaintext("correct-horse"))
    )
    await told.one("look", users.get_user(made.id))
    await told.one("create again", users.create_user(email="ada@example.com"))
    await told.one("create nobody", users.create_user(email="nobody"))
    await told.one("change", users.update_user(made.id, first_name="Ada", external_id="ada", metadata={"a": "1"}))
    await told.one("look", users.get_user_by_external_id("ada"))
    await told.one("change nobody", users.update_user("user_01NOBODY", first_name="Ada"))
    company = await told.one("create", organizations.create_organization(name="Engines", external_id="engines"))
    await told.one("look", organizations.get_organization_by_external_id("engines"))
    asked = told.client.organization_membership
    joined = await told.one(
        "join", asked.create_organization_membership(user_id=made.id, organization_id=company.id)
    )  # fmt: skip
    await told.one("leave", asked.deactivate_organization_membership(joined.id))
    await told.one("look", asked.list_organization_memberships(user_id=made.id))
    await told.one("return", asked.reactivate_organization_membership(joined.id))
    await told.one("look", asked.list_organization_memberships(user_id=made.id))
    await told.one("sign in wrongly", users.authenticate_with_password(email="ada@example.com", password="wrong"))
    await told.one("delete", asked.delete_organization_membership(joined.id))
    await told.one("look", asked.list_organization_memberships(user_id=made.id))
    await told.one("delete", users.delete_user(made.id))
    await told.one("look", users.get_user(made.id))
    await told.one("delete again", users.delete_user(made.id))
    await told.one("newest", users.list_users(limit=2))


async def events(told: Transcript, since: str) -> None:
    """Read what happened, from a time and then from a place, to the end."""
    feed = told.client.events
    first = await told.one("first", feed.list_events(events=EVENTS, range_start=since, limit=2))
    behind = first.data[0].id
    found = await told.all("all", feed.list_events(events=EVENTS, after=behind, limit=3))
    await told.one("ten", feed.list_events(events=EVENTS, after=behind))
    await told.one("nothing", feed.list_events(events=["user.created"], after=found[-1].id))
    await told.one("a few types", feed.list_events(events=["user.deleted", "organization.created"], after=behind))
    (company,) = [one.data.id for one in found if one.event == "organization.created"]
    types = ["organization.created", "organization_membership.updated"]
    await told.one("of one", feed.list_events(events=types, range_start=since, organization_id=company))
    await told.one("of none", feed.list_events(events=types, range_start=since, organization_id="org_01NOBODY"))
    await told.one("from nowhere", feed.list_events(events=EVENTS, after="event_01NOBODY"))
    await told.one("no types", feed.list_events(events=[]))
    await told.one("odd types", feed.list_events(events=["user.exploded"]))
    await told.one("until then", feed.list_events(events=EVENTS, range_start=since, range_end=since))


STEPS = ("lists", "writes", "events")


async def run(step: str, url: str, since: str) -> list[str]:
    """The transcript of one step."""
    client = AsyncWorkOSClient(api_key="sk_sandbox", client_id="client_sandbox", base_url=url, max_retries=0)
    told = Transcript(client)
    try:
        await (lists(told) if step == "lists" else writes(told) if step == "writes" else events(told, since))
    finally:
        await client.close()
    return told.lines
