"""What the simulator found, each by name."""

import asyncio

from user_management.listener import backfill
from user_management.listener.backfill import Step


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
