"""The price at which a bot begins."""

from dataclasses import dataclass

from opensqt.engine.config import EngineConfig


@dataclass(slots=True)
class Trigger:
    """Reached when the price has come to `price` from the side on which it was first seen, at `start`; ticks."""

    price: int = 0
    start: int = 0
    reached: bool = False

    @property
    def waiting(self) -> bool:
        return self.price > 0 and not self.reached

    def follow(self, config: EngineConfig, last: int) -> bool:
        """Takes the last price; says whether anything changed. Another trigger price is waited for anew."""
        before = (self.price, self.start, self.reached)
        if config.trigger_price != self.price:
            self.price, self.start, self.reached = config.trigger_price, 0, False
        if self.waiting:
            self.start = self.start or last
            self.reached = min(self.start, last) <= self.price <= max(self.start, last)
        return before != (self.price, self.start, self.reached)
