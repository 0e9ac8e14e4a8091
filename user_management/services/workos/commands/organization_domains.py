"""What can be done to the domains of organizations."""

from collections.abc import Iterable, Mapping
from typing import Any

from user_management.services.workos.client import Given
from user_management.services.workos.commands import Trace, change, creation, removal
from user_management.services.workos.matching import state

DOMAINS = ("organization_domains",)
DOMAIN = (*DOMAINS, "{id}")


def traces(fields: Mapping[str, Any]) -> Iterable[Trace]:
    """Where a new domain shows: among those of its organization, for WorkOS has no list of domains."""
    organization_id = fields.get("organization_id")
    if isinstance(organization_id, str) and organization_id:
        yield Trace("organization", ("organizations", Given(organization_id)), within="domains", names=("domain",))


create = creation(DOMAINS, traces, secret=True)
verify = change("post", (*DOMAIN, "verify"), state("state", "verified"), place=DOMAIN, secret=True)
delete = removal(DOMAIN)
