"""What goes wrong on the way, the same in all five: each fault befalls the next request, or message, of its kind."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any


class Operation(StrEnum):
    """What a request is for, whatever its address."""

    TIME = "time"
    INSTRUMENTS = "instruments"
    BALANCE = "balance"
    POSITIONS = "positions"
    LEVERAGE = "leverage"
    MODE = "mode"
    KEY = "key"
    PLACE = "place"
    CANCEL = "cancel"
    CANCEL_ALL = "cancel all"
    DEAD_MAN = "dead man"
    ORDER = "order"
    OPEN_ORDERS = "open orders"
    FINISHED_ORDERS = "finished orders"
    FILLS = "fills"
    CANDLES = "candles"
    TICKER = "ticker"
    FUNDING = "funding"
    FEES = "fees"
    LISTEN_KEY = "listen key"


@dataclass
class Fault:
    """`status` and `body` instead of the answer; or, with `hang_up`, none. `carried_out`: the request took effect.

    `delay` is in seconds, before the answer; `gate` holds the answer back until a test sets it.
    """

    operation: Operation
    status: int = 0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False
    carried_out: bool = False
    delay: float = 0.0
    gate: asyncio.Event | None = None

    @property
    def answers(self) -> bool:
        """Whether the client gets the fault's answer and not the exchange's."""
        return self.status != 0 or self.hang_up


class Garble(Enum):
    """What befalls one pushed message."""

    PASS = auto()
    DROP = auto()
    DUPLICATE = auto()
    HOLD = auto()
    """Sent after the next one: the two change places."""


class Faults:
    """Of one face. `garbles` befall the next messages of any kind, `private_garbles` those of an account's streams."""

    def __init__(self) -> None:
        self._requests: list[Fault] = []
        self.garbles: deque[Garble] = deque()
        self.private_garbles: deque[Garble] = deque()

    def next(self, *faults: Fault) -> None:
        self._requests += faults

    def __len__(self) -> int:
        """Requests that are still to fail."""
        return len(self._requests)

    def take(self, operation: Operation) -> Fault | None:
        fault = next((fault for fault in self._requests if fault.operation is operation), None)
        if fault is not None:
            self._requests.remove(fault)
        return fault

    def waiting(self, operation: Operation) -> bool:
        """Whether the next request of this kind fails already."""
        return any(fault.operation is operation for fault in self._requests)

    def garble(self, *, private: bool) -> Garble:
        waiting = self.private_garbles if private and self.private_garbles else self.garbles
        return waiting.popleft() if waiting else Garble.PASS

    def clear(self) -> None:
        """Nothing more goes wrong."""
        self._requests.clear()
        self.garbles.clear()
        self.private_garbles.clear()
