"""Gate spot, API v4, spot account. Labels: gate.com/docs/developers/apiv4, error handling."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from opensqt.connector.ccxt_venue.dialect import Json, Rejection, decimal
from opensqt.connector.ccxt_venue.exchanges.gate import CODES, Gate
from opensqt.connector.ccxt_venue.spot import Spot
from opensqt.engine.events import Remedy

SPOT_CODES = CODES | {
    "QUANTITY_NOT_ENOUGH": Remedy.INSUFFICIENT_MARGIN,
    "ACCOUNT_NOT_FOUND": Remedy.FIX_CREDENTIALS,
    "CURRENCY_PAIR_DISABLED": Remedy.HALT,
    "TRADING_DISABLED": Remedy.HALT,
}
_PAGE = 100
_OTHER_CURRENCIES = {"gt_fee": "GT", "point_fee": "POINT"}


class GateSpot(Spot, Gate):
    profile = replace(
        Gate.profile,
        codes=SPOT_CODES,
        spot=True,
        market_buys_by_value=True,
        options={"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot", "unifiedAccount": False},
        candles_in_contracts=False,
        demo_streams={"spot": "wss://ws-testnet.gate.com/v4/ws/spot"},
        weaknesses=(
            "a finished order answers to its client id no more: the last 500 finished ones are searched",
            "a client id may be taken twice: the connector looks it up before it sends it again",
            "cancels go one by one: the batch takes young client ids alone",
            "what a key may do is known only where it may read the account",
        ),
    )
    trading_right = "spot"

    def adapt(self, exchange: Any) -> None:
        parse = exchange.parse_ohlcv

        def parse_ohlcv(row: Any, market: Any = None) -> Any:
            # On the stream ccxt takes the volume in quote currency.
            return parse({**row, "v": row["a"]} if isinstance(row, dict) and "a" in row else row, market)

        exchange.parse_ohlcv = parse_ohlcv

    def rejection(self, info: Json) -> Rejection | None:
        found = super().rejection(info)
        return found and Rejection(found.code, str(info.get("message", "")))

    def fee(self, info: Json) -> Any:
        return next((decimal(info[name]) for name in _OTHER_CURRENCIES if decimal(info.get(name))), info.get("fee"))

    def fee_currency(self, info: Json) -> str:
        others = (currency for name, currency in _OTHER_CURRENCIES.items() if decimal(info.get(name)))
        return next(others, str(info.get("fee_currency") or ""))

    def page_after(self, page: Sequence[Json], count: int) -> Json:
        return {"page": count // _PAGE + 1}

    async def signed_in(self, exchange: Any, balance: Json) -> None:
        """Its private streams need no user id."""

    async def trades_page(self, exchange: Any, symbol: str, venue_id: str, params: Json) -> list[Json]:
        query = {"order_id": venue_id, **params}
        trades: list[Json] = await exchange.fetch_my_trades(symbol, None, self.profile.fills_page, query)
        return trades

    def trades_after(self, page: Sequence[Json], count: int) -> Json:
        return {"page": count // self.profile.fills_page + 1}

    async def fees(self, exchange: Any, symbol: str) -> tuple[Any, Any]:
        # ccxt asks the wallet, which a key for trading may not.
        fee: Json = await exchange.privateSpotGetFee({"currency_pair": exchange.market(symbol)["id"]})
        return fee.get("maker_fee"), fee.get("taker_fee")

    async def set_dead_man_switch(self, exchange: Any, seconds: int, symbols: Sequence[str]) -> str:
        await exchange.privateSpotPostCountdownCancelAll({"timeout": seconds})
        return ""
