"""What the tests of the command line share: the command as a process, and manifests to give it."""

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "bot"), "PYTHONUNBUFFERED": "1"}
OPENSQT = (sys.executable, "-m", "opensqt")

MANIFEST = """\
apiVersion: opensqt.io/v1alpha1
kind: ExchangeConnector
metadata: {name: paper}
spec:
  exchange: paper
  paper:
    speed: 3000
    markets:
      - symbol: BTC/USDT:USDT
        model: {seed: 7, days: 3}
---
apiVersion: opensqt.io/v1alpha1
kind: GridBot
metadata: {name: grid}
spec:
  connectorRef: {name: paper}
  symbol: BTC/USDT:USDT
  grid: {spacing: {arithmetic: "50"}}
  order: {quoteSize: "200"}
"""

Opensqt = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def thrown() -> Iterator[Path]:
    """Where throw-away states are made. Its path is short, as a Unix socket's has to be."""
    with tempfile.TemporaryDirectory(prefix="opensqt-") as folder:
        yield Path(folder)


@pytest.fixture
def opensqt(tmp_path: Path, thrown: Path) -> Opensqt:
    """Runs the command in a folder of the test's own."""
    environment = {**ENVIRONMENT, "TMPDIR": str(thrown)}

    def run(*arguments: object, timeout: float = 500.0) -> "subprocess.CompletedProcess[str]":
        command = [*OPENSQT, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    return run


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A bot on the seeded model, three days long."""
    path = tmp_path / "grid.yaml"
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def candles(candle_file: Callable[[str], Path], tmp_path: Path) -> Path:
    """Eight hours of real candles."""
    path = tmp_path / "candles.csv"
    with gzip.open(candle_file("btc-perp-2022-01-1m"), "rt") as source:
        path.write_text("".join(islice(source, 481)))
    return path
