"""One module an exchange: its facts, its error codes, and what it does otherwise."""

from opensqt.api.exchange import Exchange, MarketKind
from opensqt.connector.ccxt_venue.dialect import Dialect
from opensqt.connector.ccxt_venue.exchanges.binance import Binance
from opensqt.connector.ccxt_venue.exchanges.binance_spot import BinanceSpot
from opensqt.connector.ccxt_venue.exchanges.bitget import Bitget
from opensqt.connector.ccxt_venue.exchanges.bitget_spot import BitgetSpot
from opensqt.connector.ccxt_venue.exchanges.bybit import Bybit
from opensqt.connector.ccxt_venue.exchanges.bybit_spot import BybitSpot
from opensqt.connector.ccxt_venue.exchanges.gate import Gate
from opensqt.connector.ccxt_venue.exchanges.gate_spot import GateSpot
from opensqt.connector.ccxt_venue.exchanges.okx import Okx
from opensqt.connector.ccxt_venue.exchanges.okx_spot import OkxSpot

DIALECTS: dict[Exchange, type[Dialect]] = {
    Exchange.BINANCE: Binance,
    Exchange.BITGET: Bitget,
    Exchange.GATE: Gate,
    Exchange.OKX: Okx,
    Exchange.BYBIT: Bybit,
}
"""Of perpetuals."""

SPOT_DIALECTS: dict[Exchange, type[Dialect]] = {
    Exchange.BINANCE: BinanceSpot,
    Exchange.BITGET: BitgetSpot,
    Exchange.GATE: GateSpot,
    Exchange.OKX: OkxSpot,
    Exchange.BYBIT: BybitSpot,
}


def dialect_of(exchange: Exchange, market: MarketKind) -> Dialect:
    return (DIALECTS if market is MarketKind.PERPETUAL else SPOT_DIALECTS)[exchange]()


__all__ = ["DIALECTS", "SPOT_DIALECTS", "dialect_of"]
