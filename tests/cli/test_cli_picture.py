"""The rows are what `kubectl get gridbots` would show."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.cli.run.follow import BotView
from opensqt.cli.run.inputs import Overrides
from opensqt.cli.run.manifests import read_manifests
from opensqt.cli.run.picture import columns, duration, market_time, row
from opensqt.cli.run.plan import apply
from opensqt.cli.run.state import State
from tests.cli.conftest import MANIFEST

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def view(tmp_path: Path) -> BotView:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)
    state = State.open(tmp_path / "state")
    plan = apply(read_manifests([path]), state, Overrides())
    state.close()
    return BotView(plan.bots[0], lambda _view, _event: None)


def _cells(view: BotView, *, wide: bool = False) -> dict[str, str]:
    cells = row(view, START, START + timedelta(minutes=3), wide=wide)
    return dict(zip(columns(wide=wide), cells, strict=True))


async def test_a_trading_bot(view: BotView) -> None:
    view.status = pb.Status(
        phase=pb.PHASE_RUNNING, last_price="100", position="0.5", realised_pnl="1.5", unrealised_pnl="-0.25",
        open_buys=3, epoch=7, probes=[pb.Probe(name="Journal", healthy=True)],
    )  # fmt: skip
    assert _cells(view) == {
        "NAME": "grid", "SYMBOL": "BTC/USDT:USDT", "SIDE": "Long", "STATE": "Running", "READY": "True",
        "BREAKER": "Closed", "POSITION": "0.5", "PNL": "1.25", "CONNECTOR": "paper", "AGE": "3m",
    }  # fmt: skip
    wide = _cells(view, wide=True)
    assert (wide["BUYS"], wide["EPOCH"], wide["REASON"]) == ("3", "7", "Trading")


async def test_an_unhealthy_bot_is_not_ready_and_says_why(view: BotView) -> None:
    view.status = pb.Status(
        phase=pb.PHASE_RUNNING, last_price="1", breaker=pb.Breaker(open=True, reason="Drawdown"),
        probes=[pb.Probe(name="PriceFeed", healthy=False, reason="Stale")],
    )  # fmt: skip
    cells = _cells(view, wide=True)
    assert (cells["READY"], cells["BREAKER"], cells["REASON"]) == ("False", "Open", "PriceFeedUnhealthy")


@pytest.mark.parametrize(
    ("phase", "state", "ready"),
    [
        (pb.PHASE_STARTING, "Starting", "False"),
        (pb.PHASE_RUNNING, "Running", "True"),
        (pb.PHASE_PAUSED, "Paused", "False"),
        (pb.PHASE_WINDING_DOWN, "WindingDown", "False"),
        (pb.PHASE_STOPPED, "Stopped", "False"),
        (pb.PHASE_HALTED, "Halted", "False"),
    ],
)
async def test_ready_is_what_the_spec_asks_for(
    view: BotView, phase: "pb.Phase.ValueType", state: str, ready: str
) -> None:
    view.status = pb.Status(phase=phase)
    assert (_cells(view)["STATE"], _cells(view)["READY"]) == (state, ready)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (125, "2m5s"), (720, "12m"), (7200, "2h"), (12_060, "3h21m"), (190_800, "2d5h")],
)
def test_durations_are_kubectls(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_market_time_is_utc() -> None:
    assert market_time(1_641_000_060_000_000) == "2022-01-01 01:21:00"
    assert market_time(0) == "-"
