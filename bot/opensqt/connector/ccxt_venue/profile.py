"""The facts of one exchange, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Literal

from opensqt.connector.venue import Capabilities
from opensqt.engine.events import Remedy


class Guard(Enum):
    """What an exchange's dead-man switch watches, and whose orders it cancels."""

    NONE = auto()
    ACCOUNT = auto()
    """A count-down that cancels all orders of the account."""
    SYMBOL = auto()
    """One for each symbol."""
    CONNECTION = auto()
    """It starts to count when the last private WebSocket that asks for it is gone."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One exchange. Limits of 1 mean that ccxt or the exchange has no batch by client id: single calls side by side.

    `rate` and `burst` are in the weights of ccxt's endpoint table, or of `weights` where an endpoint's is another
    one, and so are the (weights, seconds) of
    `endpoint_window`, where each endpoint has a limit of its own; `batches_count_items` where a batch counts as
    many times as it has orders; where it `forgets_client_ids` an order that they do not find is searched among the
    newest; `mode_of_symbol` where each symbol has a position mode of its own; `positions_at_once` where ccxt asks for
    those of all symbols, whichever are named; `ban_seconds` is how long a ban is
    waited out that does not say; `fills_window_ms`
    and `fills_page` are the longest span and the most trades of one request, `fills_step_ms` how finely it tells
    times apart; after `silence` seconds without a price a stream is taken for dead; `reasons` are the health
    reasons of codes that say more than that the credentials are wrong; `expiry_header` carries the time in Unix
    milliseconds after which the exchange drops a request that changes something; `funding_window_ms` is the longest
    span of one request for funding payments, 0 where there is none; on `spot` base currency itself is held, and
    `market_buys_by_value` where a market buy says how much quote currency it spends; `demo_streams` are addresses
    of the demo environment that ccxt lacks.
    """

    name: str
    ccxt_id: str
    codes: Mapping[str, Remedy]
    place_batch: int
    cancel_batch: int
    rate: float
    burst: float
    parent: str | None = None
    passphrase: bool = False
    demo: Literal["demo", "sandbox"] = "sandbox"
    options: Mapping[str, Any] = field(default_factory=dict)
    cancel_all: bool = True
    looks_up_by_client_id: bool = True
    forgets_client_ids: bool = False
    refuses_duplicates: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)
    batches_count_items: bool = False
    mode_of_symbol: bool = False
    positions_at_once: bool = False
    endpoint_window: tuple[float, float] | None = None
    ban_seconds: int = 120
    expiry_header: str = ""
    cancel_answers_whole_order: bool = False
    batch_of_one_symbol: bool = False
    fills_window_ms: int = 7 * 24 * 3600 * 1000
    fills_page: int = 100
    fills_step_ms: int = 1
    candles_in_contracts: bool = False
    funding_window_ms: int = 0
    orders_page: int | None = 100
    silence: float = 30.0
    reasons: Mapping[str, str] = field(default_factory=dict)
    demo_streams: Mapping[str, str] = field(default_factory=dict)
    spot: bool = False
    market_buys_by_value: bool = False
    guard: Guard = Guard.NONE
    weaknesses: tuple[str, ...] = ()

    @property
    def markets(self) -> str:
        """What it trades, for people."""
        return "spot market against USDT" if self.spot else "linear USDT perpetual"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            look_up_by_client_id=self.looks_up_by_client_id,
            cancel_all=self.cancel_all,
            batch_cancel=self.cancel_batch > 1,
            # Single orders go side by side, and so do single cancels: so many are no burden to any of the budgets.
            place_batch_limit=max(self.place_batch, 5),
            cancel_batch_limit=max(self.cancel_batch, 10),
            weaknesses=self.weaknesses,
        )
