"""Patience with objects that WorkOS does not answer for: they are asked for again, and in the end done without."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from user_management.listener.questions import About, Question

PATIENCE = 3600.0
"""Seconds an object goes unanswered before a run ends without it."""

ROUNDS = 5
"""Rounds in which it does, at least: whoever stood by for that hour has asked nothing."""


@dataclass(slots=True)
class Patience:
    """What WorkOS answered of a run's questions, and since when and how often it did not; forgotten with the run.

    A process that begins knows nothing, and so is patient.
    """

    run: int = 0
    answered: set[About] = field(default_factory=set)
    unanswered: dict[About, tuple[float, int]] = field(default_factory=dict)

    def left(self, run: int, asking: Iterable[Question]) -> list[Question]:
        """Those of a run's questions that were not answered yet."""
        if run != self.run:
            self.run, self.answered, self.unanswered = run, set(), {}
        return [question for question in asking if question.about not in self.answered]

    def note(self, asked: Sequence[Question], failed: Iterable[Question], now: float) -> bool:
        """Note what came of a round; whether all that failed has failed for long, by a clock in seconds."""
        before = {question.about: self.unanswered.get(question.about, (now, 0)) for question in failed}
        self.unanswered = {about: (since, rounds + 1) for about, (since, rounds) in before.items()}
        self.answered |= {question.about for question in asked} - self.unanswered.keys()
        return all(rounds >= ROUNDS and now - since >= PATIENCE for since, rounds in self.unanswered.values())
