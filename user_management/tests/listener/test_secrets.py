"""No secret is ever stored: a dump of everything, after a busy day by every lane, is searched for all there were."""

from dataclasses import replace
from typing import Any

from user_management.db import schema
from user_management.db.session import Pool, transaction
from user_management.journal import entries
from user_management.journal.entries import Lane
from user_management.journal.timestamps import parse
from user_management.listener import backfills, rereads, subscription
from user_management.listener.worker import Listener
from user_management.mirror.engine import catalog
from user_management.mirror.engine.record import record
from user_management.sandbox import api_keys
from user_management.sandbox.store import Store
from user_management.services.workos import objects
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS

PASSWORD = "a-password-of-nobody-else"


async def dump(pool: Pool) -> str:
    """Every row of every table as text."""
    tables = [table.name for table in schema.declared().sorted_tables]
    return "\n".join([str(await pool.fetchval(f"SELECT string_agg(t::text, '\n') FROM {name} t")) for name in tables])


def secrets(store: Store) -> set[str]:
    """Whatever the source knows that nobody else may."""
    invitations = [store.invitations.read(key) or {} for key in store.invitations.ids]
    domains = [store.organization_domains.read(key) or {} for key in store.organization_domains.ids]
    found = {str(one["token"]) for one in invitations} | {str(one["accept_invitation_url"]) for one in invitations}
    found |= {str(one["verification_token"]) for one in domains if one.get("verification_token")}
    found |= {api_keys.value_of(store, key) for key in store.api_keys.ids}
    found |= {f'"{one.secret}"' for one in store.codes.sent()} | {one.secret for one in store.refreshes.values()}
    return found | {PASSWORD}


async def sign_in_by_every_way(local: LocalWorkOS) -> list[dict[str, Any]]:
    """Codes, tokens and passwords are sent and used; what WorkOS answered."""
    user = await local.user("ada@example.com", password=PASSWORD)
    await local.sign_in("ada@example.com", PASSWORD)
    there = await local.organization()
    answers = [
        await local.call("POST", f"/organizations/{there['id']}/api_keys", {"name": "Production"}),
        await local.call("POST", "/user_management/magic_auth", {"email": "ada@example.com"}),
        await local.call("POST", "/user_management/password_reset", {"email": "ada@example.com"}),
        await local.call("POST", "/user_management/invitations", {"email": "grace@example.com"}),
        await local.call("POST", f"/user_management/users/{user['id']}/email_verification/send"),
    ]
    return [one for one in answers if isinstance(one.get("object"), str)]


def lanes(answers: list[dict[str, Any]]) -> list[entries.Entry]:
    """The same objects, secrets and all, as replies to writes and as events that some WorkOS might send in full."""
    found = []
    for n, one in enumerate(answers):
        at, kind = parse(one["created_at"]), one["object"]
        assert at is not None
        event = {"object": "event", "id": f"event_full_{n}", "event": f"{kind}.created", "data": one,
                 "created_at": one["created_at"]}  # fmt: skip
        found += [
            entries.of_object(one, lane=Lane.REPLY, type=f"{kind}.replied", at=at),
            entries.of_event(event, received_at=at),
            replace(entries.of_event({**event, "id": f"event_hook_{n}"}, received_at=at), lane=Lane.WEBHOOK),
        ]
    return found


async def test_a_dump_holds_no_secret(listener: Listener, local: LocalWorkOS) -> None:
    """Tokens, codes, URLs that carry them, passwords and the values of API keys: lists, events, replies, webhooks."""
    store: Store = local.app.state.store
    listener.types = subscription.types(listener.resources, [])
    await local.activity(500)
    await copies.begin(listener)
    await copies.fill(listener)
    await local.activity(300)
    answers = await sign_in_by_every_way(local)
    await copies.drain(listener)
    await rereads.turn(listener.pool, listener.workos, listener.resources)
    async with transaction(listener.pool) as connection:
        await record(connection, catalog.resources(), lanes(answers))
        await backfills.request(connection, listener.resources[0].name, ["sessions"])
    await copies.fill(listener)
    listed = await objects.page(listener.workos, ("user_management", "invitations"), after="", parameters={})
    assert listed.objects[0]["token"] in secrets(store)
    told = await dump(listener.pool)
    assert store.invitations.ids
    assert store.api_keys.ids
    assert len(secrets(store)) > 8
    assert sorted(one for one in secrets(store) if one in told) == []
