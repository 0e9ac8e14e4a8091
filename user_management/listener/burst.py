"""Bursts: a webhook says that the feed will soon have something, so it is asked more often for a short while."""

from dataclasses import dataclass

FIRST, GROWTH = 0.25, 1.5
"""Seconds before the first poll of a burst (the feed holds events back for a while), and how much longer each next."""
MOST = 10
"""Most polls in a burst."""


@dataclass(slots=True)
class Burst:
    """How many polls of a burst were made; as many as there may be when there is none."""

    polls: int = MOST

    @property
    def on(self) -> bool:
        """Whether a burst is at work."""
        return self.polls < MOST

    def begin(self) -> None:
        """A webhook came."""
        self.polls = 0

    def end(self) -> None:
        """The feed has brought whatever webhooks told."""
        self.polls = MOST

    def next(self, interval: float) -> float:
        """Seconds until the next poll: the usual interval, or less in a burst."""
        if not self.on:
            return interval
        self.polls += 1
        return min(interval, FIRST * GROWTH ** (self.polls - 1))
