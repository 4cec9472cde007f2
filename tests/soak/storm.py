"""Seeded faults, one after another, as long as a soak lasts."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.venues.faults import Fault, Garble, Operation
from tests.venues.refusals import Reason
from tests.venues.server import Face

BETWEEN_SECONDS = 2.0
"""Between two faults, on average."""
STREAMS_EVERY = 20.0
"""Between two faults of streams: a silent one takes half a minute to be noticed."""
TIME_OUT = 12.0
"""Seconds for which an answer is held back: ours gives up after ten."""
BAD_GATEWAY = "<html>bad gateway</html>"

Strike = Callable[[], Awaitable[None] | None]


class Storm:
    """`struck` counts the faults by name."""

    def __init__(self, face: Face, seed: int) -> None:
        self._face = face
        self._random = random.Random(f"storm {seed}")  # noqa: S311 - faults, not secrets
        self.struck: Counter[str] = Counter()
        self._light: list[tuple[str, Strike]] = [
            ("message doubled", lambda: self._garble(Garble.DUPLICATE)),
            ("messages swapped", lambda: self._garble(Garble.HOLD)),
            ("message dropped", lambda: self._garble(Garble.DROP)),
            ("answer lost after acceptance", lambda: self._next(Operation.PLACE, hang_up=True, carried_out=True)),
            ("time-out after acceptance", lambda: self._next(Operation.PLACE, delay=TIME_OUT)),
            ("502 instead of a placement", lambda: self._next(Operation.PLACE, status=502, body=BAD_GATEWAY)),
            ("503 after acceptance", lambda: self._next(Operation.PLACE, status=503, body="", carried_out=True)),
            ("hung up on a placement", lambda: self._next(Operation.PLACE, hang_up=True)),
            ("429 for a placement", self._too_many),
            ("cancel's answer lost", lambda: self._next(Operation.CANCEL, hang_up=True, carried_out=True)),
            ("hung up on a cancel", lambda: self._next(Operation.CANCEL, hang_up=True)),
            ("503 for a look-up", lambda: self._next(Operation.ORDER, status=503, body="")),
            ("503 for fills", lambda: self._next(Operation.FILLS, status=503, body="")),
            ("hung up on open orders", lambda: self._next(Operation.OPEN_ORDERS, hang_up=True)),
            ("502 for the balance", lambda: self._next(Operation.BALANCE, status=502, body=BAD_GATEWAY)),
        ]
        self._heavy: list[tuple[str, Strike]] = [
            ("streams cut", face.cut),
            ("streams closed", face.hang_up),
            ("streams half-closed", face.freeze),
            ("public streams silent", lambda: face.silence(private=False)),
            ("private streams silent", lambda: face.silence(private=True)),
        ]

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._strike(self._light, BETWEEN_SECONDS))
            tasks.create_task(self._strike(self._heavy, STREAMS_EVERY))

    def end(self) -> None:
        """What has been prepared and has not come to pass does not any more."""
        self._face.faults.clear()

    async def _strike(self, faults: list[tuple[str, Strike]], between: float) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / between))
            name, strike = self._random.choice(faults)
            self.struck[name] += 1
            striking = strike()
            if striking is not None:
                await striking

    def _too_many(self) -> None:
        if not self._face.faults.waiting(Operation.PLACE):
            self._face.refuse_next(Operation.PLACE, Reason.RATE_LIMIT, seconds=1)

    def _next(self, operation: Operation, *, status: int = 0, body: str = "", hang_up: bool = False,
              carried_out: bool = False, delay: float = 0.0) -> None:  # fmt: skip
        """One at a time: where few requests come, faults would pile up until none succeeds any more."""
        if not self._face.faults.waiting(operation):
            self._face.faults.next(
                Fault(operation, status=status, body=body, hang_up=hang_up, carried_out=carried_out, delay=delay)
            )

    def _garble(self, garble: Garble) -> None:
        """Of the next message about orders, fills or the account, and of the next price."""
        self._face.faults.private_garbles.append(garble)
        self._face.faults.garbles.append(garble)
