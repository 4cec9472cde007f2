"""Client ids of orders: a pure function of (bot uid, leg, slot, cycle, attempt), 28 characters of [0-9a-z].

`o`, 8 characters of a hash of the bot's uid, the leg (`e` entry, `x` exit), then slot, cycle and attempt in base 36
with six characters each. All five exchanges take such an id. The same id always belongs to the very same order.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_WIDTH = 6
_PREFIX_LENGTH = 9
_LENGTH = _PREFIX_LENGTH + 1 + 3 * _WIDTH
_LARGEST = 36**_WIDTH - 1


class Leg(StrEnum):
    """Which half of a slot's cycle an order is."""

    ENTRY = "e"
    EXIT = "x"


@dataclass(frozen=True, slots=True)
class OrderKey:
    """What a client id says, besides whose it is."""

    leg: Leg
    slot: int
    cycle: int
    attempt: int


def _base36(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits


@lru_cache(maxsize=64)
def client_id_prefix(bot_uid: str) -> str:
    """The 9 characters with which all client ids of this bot begin, and those of no other bot (41 bits of SHA-256)."""
    digest = int.from_bytes(hashlib.sha256(bot_uid.encode()).digest()[:8], "big")
    return "o" + _base36(digest % 36**8, 8)


def client_id(bot_uid: str, leg: Leg, slot: int, cycle: int, attempt: int) -> str:
    """The id of an order. Raises ValueError for a number that does not fit (0 ... 36^6 - 1)."""
    for number in (slot, cycle, attempt):
        if not 0 <= number <= _LARGEST:
            raise ValueError(f"{number} does not fit into {_WIDTH} digits of a client id")
    numbers = "".join(_base36(number, _WIDTH) for number in (slot, cycle, attempt))
    return f"{client_id_prefix(bot_uid)}{leg}{numbers}"


def parse(bot_uid: str, text: str) -> OrderKey | None:
    """What the id says, or None where it is not one of this bot's."""
    prefix = client_id_prefix(bot_uid)
    if len(text) != _LENGTH or not text.startswith(prefix):
        return None
    leg, digits = text[_PREFIX_LENGTH], text[_PREFIX_LENGTH + 1 :]
    if leg not in {Leg.ENTRY, Leg.EXIT} or any(digit not in _DIGITS for digit in digits):
        return None
    slot, cycle, attempt = (int(digits[at : at + _WIDTH], 36) for at in range(0, 3 * _WIDTH, _WIDTH))
    return OrderKey(Leg(leg), slot, cycle, attempt)


def leg_of(text: str) -> Leg | None:
    """The leg that the id says, of whichever bot; None where it is no id of ours."""
    known = len(text) == _LENGTH and text[_PREFIX_LENGTH] in {Leg.ENTRY, Leg.EXIT}
    return Leg(text[_PREFIX_LENGTH]) if known else None
