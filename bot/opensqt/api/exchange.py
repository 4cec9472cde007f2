"""The exchanges, and what a connector does there."""

from enum import StrEnum


class Exchange(StrEnum):
    PAPER = "paper"
    BINANCE = "binance"
    BITGET = "bitget"
    GATE = "gate"
    OKX = "okx"
    BYBIT = "bybit"


class Mode(StrEnum):
    DEMO = "Demo"
    LIVE = "Live"


class MarketKind(StrEnum):
    PERPETUAL = "Perpetual"
    SPOT = "Spot"

    @classmethod
    def of(cls, symbol: str) -> "MarketKind":
        """Of a symbol in ccxt's unified form."""
        return cls.PERPETUAL if ":" in symbol else cls.SPOT
