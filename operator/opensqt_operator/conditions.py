"""Conditions as values, and their times: `lastTransitionTime` moves only when `status` flips."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from opensqt.api.meta import Condition, ConditionStatus
from opensqt.api.report import clip

_MESSAGE_LENGTH = 2048
_REASON_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says, before its times are known: True, False or Unknown, with why."""

    status: ConditionStatus
    reason: str
    message: str = ""


def true(reason: str, message: str = "") -> Verdict:
    return Verdict(ConditionStatus.TRUE, reason, message)


def false(reason: str, message: str = "") -> Verdict:
    return Verdict(ConditionStatus.FALSE, reason, message)


def unknown(reason: str, message: str = "") -> Verdict:
    return Verdict(ConditionStatus.UNKNOWN, reason, message)


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def with_times(
    verdicts: dict[str, Verdict], previous: Iterable[Condition], *, now: datetime, generation: int
) -> list[Condition]:
    """The conditions of a status, in the order of `verdicts`."""
    before = {condition.type: condition for condition in previous}
    conditions = []
    for kind, verdict in verdicts.items():
        old = before.get(kind)
        flipped = old is None or old.status != verdict.status
        conditions.append(
            Condition(
                type=kind,
                status=verdict.status,
                reason=verdict.reason[:_REASON_LENGTH],
                message=clip(verdict.message, _MESSAGE_LENGTH),
                last_transition_time=now if flipped or old is None else old.last_transition_time,
                observed_generation=generation,
            )
        )
    return conditions
