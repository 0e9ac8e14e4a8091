"""What the tests of the listener share."""

import httpx
import pytest

from user_management.listener.worker import Listener
from user_management.services.workos import client
from user_management.tests.support import copies
from user_management.tests.support.local_workos import KEY, URL, LocalWorkOS
from user_management.tests.support.refusing import Refusing


@pytest.fixture
def refusing(listener: Listener, local: LocalWorkOS) -> Refusing:
    """The listener's way to WorkOS, on which the test refuses what it likes."""
    wire = Refusing(app=local.app)
    http = httpx.AsyncClient(transport=wire, base_url=URL)
    listener.workos = client.over(http, api_key=KEY, client_id="client_sandbox", base_url=URL)
    return wire


@pytest.fixture
async def filled(listener: Listener, local: LocalWorkOS) -> Listener:
    """A listener whose copy is complete, of an organization with something of every kind."""
    await local.activity(400)
    await copies.begin(listener)
    await copies.fill(listener)
    return listener
