"""One module an exchange: its facts, its error codes, and what it does otherwise."""

from opensqt.api.connector import Exchange
from opensqt.connector.ccxt_venue.dialect import Dialect
from opensqt.connector.ccxt_venue.exchanges.binance import Binance
from opensqt.connector.ccxt_venue.exchanges.bitget import Bitget
from opensqt.connector.ccxt_venue.exchanges.bybit import Bybit
from opensqt.connector.ccxt_venue.exchanges.gate import Gate
from opensqt.connector.ccxt_venue.exchanges.okx import Okx

DIALECTS: dict[Exchange, type[Dialect]] = {
    Exchange.BINANCE: Binance,
    Exchange.BITGET: Bitget,
    Exchange.GATE: Gate,
    Exchange.OKX: Okx,
    Exchange.BYBIT: Bybit,
}

__all__ = ["DIALECTS"]
