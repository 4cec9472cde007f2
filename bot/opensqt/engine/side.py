"""The two ways in which a slot can trade, and all that differs between them."""

from enum import StrEnum

from opensqt.engine.actions import OrderSide


class Side(StrEnum):
    """Long buys and sells dearer; Short sells and buys back cheaper."""

    LONG = "Long"
    SHORT = "Short"

    entry: OrderSide
    """The order that opens."""
    exit: OrderSide
    """The order that closes."""
    sign: int
    """Of the lots that an entry adds to the position, and of the step from a level to that of its exit."""

    def __init__(self, value: str) -> None:
        long = value == "Long"
        self.entry, self.exit = (OrderSide.BUY, OrderSide.SELL) if long else (OrderSide.SELL, OrderSide.BUY)
        self.sign = 1 if long else -1

    @property
    def other(self) -> "Side":
        return Side.SHORT if self is Side.LONG else Side.LONG

    def gain(self, start: int, end: int) -> int:
        """How far this side wins when the price goes from `start` to `end`, in ticks."""
        return self.sign * (end - start)

    @classmethod
    def of(cls, lots: int) -> "Side":
        """Whose lots these are, by their sign."""
        return cls.LONG if lots >= 0 else cls.SHORT
