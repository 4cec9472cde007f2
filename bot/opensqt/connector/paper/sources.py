"""Where a paper market's candles come from: a file, a mounted ConfigMap or volume, an address, or the model."""

import http.client
import tempfile
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import structlog

from opensqt.api.paper import MarketModel, PaperMarket
from opensqt.api.process import CANDLES_DIR
from opensqt.connector.paper.candles import BadMarketDataError, Candles, parse_candles, read_candles
from opensqt.connector.paper.model import model_candles

log = structlog.get_logger(__name__)

FEWEST_TICKS = 100
"""A price of fewer ticks is rounded by so much that the market is no longer the recorded one."""
DOWNLOAD_LIMIT = 256 * 2**20
"""Bytes that a download may have at most."""
DOWNLOAD_SECONDS = 30.0
"""Time-out of each network operation."""


def load_market(market: PaperMarket, index: int, candles_dir: Path = Path(CANDLES_DIR)) -> Candles:
    """The candles of the market that stands at `index` in the spec. Blocks. Raises BadMarketDataError."""
    source = market.candles
    if source is None:
        return model_candles(market.model or MarketModel(), market.tick_size, market.lot_size)
    try:
        if source.url is not None:
            candles = _download(source.url, market)
        else:
            candles = read_candles(_path(market, candles_dir / str(index)), market.tick_size, market.lot_size)
        _check_tick(candles.closes[0], market)
    except BadMarketDataError as error:
        raise BadMarketDataError(f"{market.symbol}: {error}") from None
    gaps, longest = candles.gaps()
    log.info("candles_loaded", symbol=market.symbol, candles=len(candles), gaps=gaps, longest_gap_minutes=longest)
    return candles


def _check_tick(ticks: int, market: PaperMarket) -> None:
    if ticks < FEWEST_TICKS:
        price = ticks * market.tick_size
        fitting = Decimal(1).scaleb(price.adjusted() - 4)
        raise BadMarketDataError(
            f"tickSize: {market.tick_size:f} is too coarse for prices near {price:f}: "
            f"set tickSize to {fitting:f}, say, and lotSize to fit"
        )


def _path(market: PaperMarket, folder: Path) -> Path:
    source = market.candles
    assert source is not None  # noqa: S101 - the caller has looked
    if source.path is not None:
        return Path(source.path)
    if source.config_map_ref is not None:
        path = folder / source.config_map_ref.key
        if not path.exists():
            name, key = source.config_map_ref.name, source.config_map_ref.key
            raise BadMarketDataError(
                f"candles.configMapRef: there is no ConfigMap {name} here, or it has no key {key}: "
                f"kubectl create configmap {name} --from-file={key}=FILE"
            )
        return path
    assert source.volume is not None  # noqa: S101 - exactly one is set
    path = folder / source.volume.path
    if ".." in path.parts:
        raise BadMarketDataError(f"candles.volume.path: {source.volume.path} must not lead out of the volume")
    return path


def _download(url: str, market: PaperMarket) -> Candles:
    name = url.partition("?")[0].rpartition("/")[2] or url
    with tempfile.TemporaryFile() as file:
        try:
            with urllib.request.urlopen(url, timeout=DOWNLOAD_SECONDS) as answer:  # noqa: S310 - the schema takes http and https alone
                while chunk := answer.read(2**20):
                    file.write(chunk)
                    if file.tell() > DOWNLOAD_LIMIT:
                        raise BadMarketDataError(f"{name}: larger than {DOWNLOAD_LIMIT // 2**20} MiB")
        except urllib.error.HTTPError as error:
            raise BadMarketDataError(f"{name}: the server answers {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise BadMarketDataError(f"{name}: cannot be downloaded: {reason}") from None
        file.seek(0)
        return parse_candles(file, name, market.tick_size, market.lot_size)
