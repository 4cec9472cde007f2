"""What is flat, and what a list of figures is like."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_LIFE = 300.0
"""Seconds that a process must have lived to be judged."""
GROWTH_RATIO = 1.05
GROWTH_MEBIBYTES = 2.0


@dataclass(frozen=True)
class Sample:
    """Resident memory of a process at a time (monotonic)."""

    at: float
    pid: int
    mebibytes: float


def longest_life(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of the process that was watched for longest."""
    lives: dict[int, list[Sample]] = {}
    for sample in samples:
        lives.setdefault(sample.pid, []).append(sample)
    return max(lives.values(), key=lambda life: life[-1].at - life[0].at, default=[])


def growth(life: Sequence[Sample]) -> tuple[float, float] | None:
    """Medians of the second and the last third of a life, in MiB; None where it was too short to tell."""
    if len(life) < 6 or life[-1].at - life[0].at < SHORTEST_LIFE:
        return None
    first, last = life[0].at, life[-1].at
    third = (last - first) / 3
    second = [sample.mebibytes for sample in life if first + third <= sample.at < last - third]
    final = [sample.mebibytes for sample in life if sample.at >= last - third]
    return (statistics.median(second), statistics.median(final)) if second and final else None


def flat(second: float, final: float) -> bool:
    return final <= second * GROWTH_RATIO + GROWTH_MEBIBYTES


def percentile(figures: Sequence[float], share: float) -> float:
    """0 of none."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
