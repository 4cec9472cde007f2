"""Where a paper market's candles come from."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from opensqt.api.paper import PaperMarket
from opensqt.connector.paper import sources
from opensqt.connector.paper.candles import BadMarketDataError
from opensqt.connector.paper.sources import load_market
from tests.connector.paper_world import SYMBOL, write_candles

ETH = "ETH/USDT:USDT"
FLAT = [(100.0, 100.0, 100.0, 100.0)]


def spec(**candles: Any) -> PaperMarket:
    return PaperMarket.model_validate({"symbol": SYMBOL, "candles": candles})


def test_candles_of_a_config_map_and_a_volume_are_found_where_they_are_mounted(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "1" / "year").mkdir(parents=True)
    write_candles(tmp_path / "0" / "btc.csv", FLAT)
    write_candles(tmp_path / "1" / "year" / "btc.csv", FLAT * 2)
    assert len(load_market(spec(configMapRef={"name": "x", "key": "btc.csv"}), 0, tmp_path)) == 1
    assert len(load_market(spec(volume={"claimName": "x", "path": "year/btc.csv"}), 1, tmp_path)) == 2
    with pytest.raises(BadMarketDataError, match="must not lead out of the volume"):
        load_market(spec(volume={"claimName": "x", "path": "../0/btc.csv"}), 1, tmp_path)


def test_a_config_map_that_is_not_there_is_named_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(
        BadMarketDataError, match=r"configMapRef: there is no ConfigMap btc here.*--from-file=btc\.csv="
    ):
        load_market(spec(configMapRef={"name": "btc", "key": "btc.csv"}), 0, tmp_path)


def test_a_tick_that_would_round_the_market_away_is_refused_with_one_that_fits(tmp_path: Path) -> None:
    path = write_candles(tmp_path / "doge.csv", [(0.19, 0.19, 0.19, 0.19)])
    with pytest.raises(
        BadMarketDataError, match=r"tickSize: 0\.1 is too coarse for prices near 0\.2: set tickSize to 0\.00001"
    ):
        load_market(spec(path=str(path)), 0)


def test_candles_are_downloaded_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_candles(tmp_path / "c.csv", FLAT * 3).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path.startswith("/candles.csv")
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(data) if found else 0))
            self.end_headers()
            self.wfile.write(data if found else b"")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        assert len(load_market(spec(url=f"{address}/candles.csv?key=secret"), 0)) == 3
        with pytest.raises(BadMarketDataError, match="the server answers 404"):
            load_market(spec(url=f"{address}/absent.csv"), 0)
        monkeypatch.setattr(sources, "DOWNLOAD_LIMIT", 100)
        with pytest.raises(BadMarketDataError, match=r"^BTC/USDT:USDT: candles\.csv: larger than"):
            load_market(spec(url=f"{address}/candles.csv?key=secret"), 0)
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(BadMarketDataError, match=r"cannot be downloaded: .*refused"):
        load_market(spec(url=f"{address}/candles.csv"), 0)
