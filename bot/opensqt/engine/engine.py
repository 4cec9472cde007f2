"""The engine: events in, actions out (being filled in)."""

from typing import Any

from opensqt.engine.actions import Action
from opensqt.engine.events import Event
from opensqt.engine.market import Market
from opensqt.engine.view import BreakerView, EngineView, Phase


class Engine:
    """One bot's state machine. `on` never raises on what an exchange may say; see docs/engine.md."""

    def __init__(self, market: Market, bot_uid: str) -> None:
        self.market = market
        self.bot_uid = bot_uid
        self.dirty = False

    def on(self, event: Event) -> list[Action]:
        """Takes one event; returns what must be done, after `dirty` says whether the event must be kept."""
        return []

    def quiet_band(self) -> tuple[int | None, int | None]:
        """Prices (ticks) strictly between have no consequence; None is unbounded, (p, p) means that every price counts."""
        return (0, 0)

    @property
    def wake_at(self) -> int | None:
        """When the engine wants a ClockTicked, in microseconds."""
        return None

    def view(self) -> EngineView:
        breaker = BreakerView(False, "", "", 0, 0, 0)
        return EngineView(0, 0, 0, Phase.STARTING, "", "", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, breaker, (), ())

    def live_orders(self) -> list[str]:
        """Client ids of all orders that are open, in flight or in doubt."""
        return []

    @property
    def wound_down(self) -> bool:
        """Whether the goal was to stop or close and nothing of this bot is left at the exchange."""
        return False

    def snapshot(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, market: Market, bot_uid: str, snapshot: dict[str, Any]) -> "Engine":
        return cls(market, bot_uid)
