"""What the simulator found, each by name."""

import asyncio

import orjson

from user_management.listener import backfill
from user_management.listener.backfill import Step
from user_management.tests.chaos.simulator_small_faults import about


async def test_a_backfill_that_is_cancelled_while_it_waits_for_a_page_leaves_no_task_behind() -> None:
    """Class `shutdown`, seed 4: the task that waited for the next page went on waiting for ever."""
    queue: asyncio.Queue[Step] = asyncio.Queue()
    fetching: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(backfill.next_batch(queue, fetching))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


def test_events_about_one_thing_keep_their_order_however_deep_they_name_it() -> None:
    """Class `catch-up`, seed 5512: a failed verification of a domain was told before the change that it followed."""
    failed = {"data": {"reason": "dns", "organization_domain": {"id": "org_domain_1", "organization_id": "org_1"}}}
    role = {"data": {"slug": "auditor", "permissions": []}}
    assert [about(orjson.dumps(one)) for one in (failed, role)] == [{"org_domain_1", "org_1"}, {"auditor"}]
