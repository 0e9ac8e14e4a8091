"""The whole path: what happens at WorkOS is in the copy, all of it and nothing else."""

from user_management.db.session import Pool
from user_management.listener.worker import Listener
from user_management.tests.support import copies
from user_management.tests.support.local_workos import LocalWorkOS


async def test_a_first_start_copies_everything(listener: Listener, pool: Pool, local: LocalWorkOS) -> None:
    """What was there before the first start is listed; what happens meanwhile is followed."""
    await local.activity(250)
    await copies.begin(listener)
    await local.activity(50)
    await copies.fill(listener)
    await local.activity(150)
    await copies.drain(listener)
    await copies.assert_equal_to_source(pool, local)
    await copies.assert_equal_to_journal(pool)
