"""All the simulators."""

from collections.abc import Callable

from opensqt.api.exchange import Exchange, MarketKind
from tests.venues.binance.face import BinanceFace
from tests.venues.binance.spot_face import BinanceSpotFace
from tests.venues.bitget.face import BitgetFace
from tests.venues.bitget.spot_face import BitgetSpotFace
from tests.venues.bybit.face import BybitFace
from tests.venues.gate.face import GateFace
from tests.venues.gate.spot_face import GateSpotFace
from tests.venues.okx.face import OkxFace
from tests.venues.server import Face

FACES: dict[Exchange, Callable[[], Face]] = {
    Exchange.BINANCE: BinanceFace,
    Exchange.BYBIT: BybitFace,
    Exchange.OKX: OkxFace,
    Exchange.GATE: GateFace,
    Exchange.BITGET: BitgetFace,
}
SPOT_FACES: dict[Exchange, Callable[[], Face]] = {
    Exchange.BINANCE: BinanceSpotFace,
    Exchange.BYBIT: lambda: BybitFace(MarketKind.SPOT),
    Exchange.BITGET: BitgetSpotFace,
    Exchange.GATE: GateSpotFace,
    Exchange.OKX: lambda: OkxFace(MarketKind.SPOT),
}


def face_of(exchange: Exchange, market: MarketKind) -> Face:
    return (FACES if market is MarketKind.PERPETUAL else SPOT_FACES)[exchange]()
