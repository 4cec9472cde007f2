"""What differs between the exchanges and ccxt does not unify; the facts that are mere data are in `profile`."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from opensqt.connector.ccxt_venue.limits import Allowance
from opensqt.connector.ccxt_venue.profile import Profile
from opensqt.connector.venue import Account, VenueOrder

Json = dict[str, Any]


LOOK_BACK, FINISHED_PAGE = 500, 100
"""How many finished orders are searched for one that does not answer to its client id, and how many come at once."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one item of a batch was refused."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What the API key may do, and whether it is bound to addresses; None where the exchange does not tell."""

    trade: bool | None = None
    withdraw: bool | None = None
    bound: bool | None = None


class Dialect(ABC):
    """The common form; each exchange overrides what it does otherwise. `exchange` is always ccxt's instance."""

    profile: ClassVar[Profile]

    def code(self, body: Any) -> str:
        """The exchange's own error code in an answer, empty where there is none."""
        return str(body.get("code", "")) if isinstance(body, dict) else ""

    def message(self, body: Any) -> str:
        return str(body.get("msg", "")) if isinstance(body, dict) else ""

    @abstractmethod
    def rejection(self, info: Json) -> Rejection | None:
        """Why this item of a batch was refused, None where it was accepted."""

    @abstractmethod
    def batch_items(self, body: Any) -> list[Json]:
        """The items in the answer to a batch, in the exchange's order; empty where it has none."""

    @abstractmethod
    def item_client_id(self, item: Json) -> str:
        """Our client id in one such item, empty where the exchange leaves it out."""

    def adapt(self, exchange: Any) -> None:  # noqa: B027 - most need nothing
        """Mends what of ccxt's new instance can be mended nowhere else."""

    def accepted(self, order: VenueOrder) -> None:  # noqa: B027 - most tell again what they were told
        """The exchange has taken this order, and may not tell all of it again."""

    def post_only_rejected(self, info: Json) -> bool:
        """Whether the exchange ended this order because it would have taken liquidity."""
        return False

    def ended(self, info: Json) -> bool:
        """Whether an order in a state that ccxt does not know is over."""
        return False

    def filled(self, info: Json) -> Any:
        """What was filled in all, in the exchange's unit, where ccxt's order says something else, otherwise None."""
        return None

    def fee(self, info: Json) -> Any:
        """What a trade cost, positive where paid, where ccxt's trade has the sign wrong, otherwise None."""
        return None

    def fee_currency(self, info: Json) -> str:
        """What a trade's fee was paid in, where ccxt's trade leaves it out or guesses it, otherwise empty."""
        return ""

    def funding_paid(self, payment: Json) -> Decimal:
        """What one of ccxt's funding payments has cost, negative where it was received."""
        return -decimal(payment.get("amount"))

    def is_fill(self, info: Json) -> bool:
        """Whether an entry among the trades is one, and not a funding payment."""
        return True

    def trade_client_id(self, info: Json) -> str:
        """The client id in a trade, empty where the exchange leaves it out."""
        return ""

    def client_id(self, shown: str | None) -> str:
        """Our client id in what ccxt's orders show."""
        return shown or ""

    async def signed_in(self, exchange: Any, balance: Json) -> None:  # noqa: B027 - most need nothing
        """After the credentials were accepted: what the streams need to know of the account."""

    def log_in_ended(self, message: Any) -> bool:
        """Whether a message of a stream says that its log-in is over, and that it tells nothing any more."""
        return False

    def forget_log_in(self, exchange: Any) -> None:  # noqa: B027 - most keep nothing
        """What the streams' log-in left behind in ccxt's instance is not to be used again."""

    async def find_order(self, exchange: Any, symbol: str, client_id: str) -> Json:
        """ccxt's order, by what the exchange knows of its client id; raises `OrderNotFound`."""
        found: Json = await exchange.fetch_order("", symbol, {"clientOrderId": client_id})
        return found

    async def open_orders(self, exchange: Any, symbol: str) -> list[Json]:
        """All of them, however many pages that takes."""
        size = self.profile.orders_page
        return await _all_pages(
            lambda params: exchange.fetch_open_orders(symbol, None, size, params), size, self.page_after
        )

    def page_after(self, page: Sequence[Json], count: int) -> Json:
        """What asks for the orders after this page; `count` were read so far."""
        return {}

    async def newest_orders(self, exchange: Any, symbol: str) -> list[Json]:
        """Where the profile says `forgets_client_ids`: the orders to look among, newest first."""
        raise NotImplementedError

    async def newest_finished(self, fetch: Any, symbol: str) -> list[Json]:
        """The last `LOOK_BACK` of them, which `fetch` gives in pages."""
        found: list[Json] = []
        query: Json = {}
        while len(found) < LOOK_BACK:
            page: list[Json] = await fetch(symbol, None, FINISHED_PAGE, query)
            found += page
            if len(page) < FINISHED_PAGE:
                break
            query = self.page_after(page, len(found))
        return found

    async def order_by_venue_id(self, exchange: Any, symbol: str, venue_id: str) -> Json:
        found: Json = await exchange.fetch_order(venue_id, symbol)
        return found

    async def order_trades(self, exchange: Any, symbol: str, venue_id: str) -> list[Json]:
        """All trades of one order, however many pages that takes; their times may be the same."""
        return await _all_pages(
            lambda params: self.trades_page(exchange, symbol, venue_id, params),
            self.profile.fills_page,
            self.trades_after,
        )

    async def trades_page(self, exchange: Any, symbol: str, venue_id: str, params: Json) -> list[Json]:
        query = {"orderId": venue_id, **params}
        trades: list[Json] = await exchange.fetch_my_trades(symbol, None, self.profile.fills_page, query)
        return trades

    def trades_after(self, page: Sequence[Json], count: int) -> Json:
        """As `page_after`, for the trades of an order."""
        return self.page_after(page, count)

    async def watch_orders(self, exchange: Any, symbol: str) -> list[Json]:
        """The orders of one symbol that have changed, and perhaps some that have not."""
        orders: list[Json] = await exchange.watch_orders(symbol)
        return orders

    async def watch_positions(self, exchange: Any, symbols: Sequence[str]) -> list[Json]:
        """The positions that have changed, flat ones too."""
        positions: list[Json] = await exchange.watch_positions(list(symbols))
        return positions

    async def cancel_one(self, exchange: Any, symbol: str, client_id: str) -> Json:
        cancelled: Json = await exchange.cancel_order("", symbol, {"clientOrderId": client_id})
        return cancelled

    async def cancel_many(self, exchange: Any, symbol: str, client_ids: Sequence[str]) -> None:
        """Answered with what `batch_items` understands. Asked only where the profile has batches of cancels."""
        raise NotImplementedError

    def order_params(self) -> Json:
        """Added to every placement."""
        return {}

    async def hedged(self, exchange: Any, symbol: str) -> bool:
        """Whether the account holds long and short positions apart."""
        mode = await exchange.fetch_position_mode(symbol)
        return bool(mode["hedged"])

    async def set_leverage(self, exchange: Any, symbol: str, leverage: int) -> None:
        await exchange.set_leverage(leverage, symbol)

    def allowances(self, headers: Mapping[str, str], now_ms: int) -> Sequence[Allowance]:
        """What an answer's headers (in lower case) say is left; `now_ms` is the exchange's time."""
        return ()

    async def set_dead_man_switch(self, exchange: Any, seconds: int, symbols: Sequence[str]) -> str:
        """Counts `seconds` anew, 0 switches it off; what is wrong with it nevertheless, empty where nothing is.

        Asked only where the profile has a guard.
        """
        raise NotImplementedError

    async def hold_dead_man_switch(self, exchange: Any) -> None:
        """Keeps up the connection that it watches; ends, or raises, when that is gone. For Guard.CONNECTION alone."""
        raise NotImplementedError

    async def fees(self, exchange: Any, symbol: str) -> tuple[Any, Any]:
        """The account's own maker and taker fee as fractions, positive where paid; None where it is not told."""
        fee = await exchange.fetch_trading_fee(symbol)
        return fee["maker"], fee["taker"]

    async def key_rights(self, exchange: Any, *, live: bool) -> KeyRights:
        return KeyRights()

    @abstractmethod
    def account(self, balance: Json, currency: str, now_us: int) -> Account:
        """From ccxt's balance; the exchange's own fields say equity and wallet balance apart."""


def number(headers: Mapping[str, str], name: str) -> float | None:
    """A header's number, None where there is none."""
    try:
        return float(headers[name])
    except (KeyError, ValueError):
        return None


def decimal(value: Any) -> Decimal:
    """Zero where the exchange says nothing."""
    return Decimal(str(value)) if value not in (None, "") else Decimal(0)


def first(values: Any) -> Json:
    """The first object of a list, an empty one where there is none."""
    if isinstance(values, list) and values and isinstance(values[0], dict):
        return values[0]
    return {}


async def _all_pages(
    fetch: Callable[[Json], Awaitable[list[Json]]], size: int | None, after: Callable[[Sequence[Json], int], Json]
) -> list[Json]:
    """What `fetch` gives, page by page, each thing once; `size` is that of a full page, None where there is but one."""
    found: dict[str, Json] = {}
    params: Json = {}
    while True:
        page = await fetch(params)
        fresh = [item for item in page if item["id"] not in found]
        found |= {item["id"]: item for item in fresh}
        if size is None or len(page) < size or not fresh:
            return list(found.values())
        params = after(page, len(found))
