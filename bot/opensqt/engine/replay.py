"""A log taken to an engine once more: does it decide the same? Pure, as the engine is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from opensqt.engine.actions import Action, Notify, Place
from opensqt.engine.engine import Engine
from opensqt.engine.events import Event


class Decision(NamedTuple):
    """One event of the log, and what the engine wanted to be done when it was told.

    `actions` is None where the log does not say: it was written by a release that did not keep them.
    """

    event: Event
    actions: Sequence[Action] | None


@dataclass(frozen=True, slots=True)
class Difference:
    """To one event this engine answers otherwise than the one that wrote the log."""

    event: Event
    logged: list[Action]
    replayed: list[Action]

    @property
    def orders(self) -> list[Place]:
        """Orders that the log has and this engine did not make."""
        return [action for action in self.logged if isinstance(action, Place) and action not in self.replayed]


def repeat(engine: Engine, decision: Decision) -> Difference | None:
    """Takes the next event of the log; returns how the answer differs from the log's, or None.

    The orders of the log were sent: where this engine makes others, it adopts those.
    """
    replayed = engine.on(decision.event)
    if decision.actions is None or _essence(replayed) == _essence(decision.actions):
        return None
    difference = Difference(decision.event, list(decision.actions), replayed)
    if difference.orders:
        engine.adopt(difference.orders, decision.event.time)
    return difference


def _essence(actions: Sequence[Action]) -> list[object]:
    """What was decided: the words for people may change."""
    return [(action.severity, action.reason) if isinstance(action, Notify) else action for action in actions]
