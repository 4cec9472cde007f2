"""`opensqt run --until-end`: real processes over real candles, and one document that adds up."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import MANIFEST, Opensqt
from tests.cli.running import Running

BALANCE = Decimal(10000)


def _check_adds_up(document: dict[str, Any]) -> None:
    """What can be known of any run from its fills alone."""
    (connector,), (bot,) = document["connectors"], document["bots"]
    position, cash, fees = Decimal(0), Decimal(0), Decimal(0)
    for fill in bot["fills"]:
        quantity, price, fee = Decimal(fill["quantity"]), Decimal(fill["price"]), Decimal(fill["fee"])
        signed = quantity if fill["side"] == "Buy" else -quantity
        position, cash, fees = position + signed, cash - signed * price - fee, fees + fee
        ours = position if bot["side"] == "Long" else -position
        assert ours >= 0 or bot["side"] == "Neutral", "a grid never closes what it does not have"
    assert Decimal(bot["position"]) == position
    assert Decimal(bot["fees"]) == fees
    profit = cash + position * Decimal(bot["lastPrice"])
    assert Decimal(bot["realisedPnl"]) + Decimal(bot["unrealisedPnl"]) == profit
    assert Decimal(connector["equity"]) == BALANCE + profit
    assert len({fill["tradeId"] for fill in bot["fills"]}) == len(bot["fills"])
    exit_side = "Sell" if bot["side"] == "Long" else "Buy"
    exits = sum((Decimal(order["quantity"]) - Decimal(order["filled"])) for order in bot["openOrders"]
                if order["side"] == exit_side)  # fmt: skip
    assert exits <= abs(position) or bot["side"] == "Neutral"


def test_the_document_adds_up_and_is_the_same_each_time(
    opensqt: Opensqt, manifest: Path, candles: Path, thrown: Path
) -> None:
    arguments = ("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: opensqt(*arguments), range(2))
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    _check_adds_up(document)
    (bot,) = document["bots"]
    assert len(bot["fills"]) > 20
    assert bot["fills"][0]["time"] == "2021-12-31T23:07:30Z", "a candle's prices are a quarter of a minute apart"
    assert bot["breaker"]["state"] == "Closed"
    (market,) = document["connectors"][0]["markets"]
    assert (market["played"], market["total"], market["ended"]) == (1920, 1920, True)
    assert second.stdout == first.stdout
    assert not list(candles.parent.glob(".opensqt*"))
    assert not list(thrown.iterdir()), "the state is thrown away"


def test_a_short_grid_trades_the_same_candles(opensqt: Opensqt, manifest: Path, candles: Path) -> None:
    manifest.write_text(MANIFEST.replace("  grid: {", "  side: Short\n  grid: {"))
    done = opensqt("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    _check_adds_up(document)
    (bot,) = document["bots"]
    assert (bot["side"], bot["fills"][0]["side"]) == ("Short", "Sell")
    assert len(bot["fills"]) > 20


def test_a_neutral_grid_with_bounds_trails_and_waits_for_its_trigger(
    opensqt: Opensqt, manifest: Path, candles: Path
) -> None:
    grid = 'lower: "46000", upper: "47000", trailing: {up: true}, triggerPrice: "46300", '
    manifest.write_text(MANIFEST.replace("  grid: {", "  side: Neutral\n  grid: {" + grid))
    done = opensqt("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert "Triggered: the price has come to 46300" in done.stderr
    document = json.loads(done.stdout)
    _check_adds_up(document)
    assert len(document["bots"][0]["fills"]) > 20


def test_a_grid_spaced_by_volatility_with_skew_is_the_same_each_time(
    opensqt: Opensqt, manifest: Path, candles: Path
) -> None:
    """Fifteen candles before the first entry, then a step that follows the market."""
    grid = 'grid: {inventorySkew: "0.5", spacing: {atr: {interval: 5m, multiple: "0.8"}}}'
    limits = '  riskLimits: {maxPosition: "0.1"}\n'
    manifest.write_text(MANIFEST.replace('grid: {spacing: {arithmetic: "50"}}', grid) + limits)
    arguments = ("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: opensqt(*arguments), range(2))
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("StepTaken: levels are ") > 1
    document = json.loads(first.stdout)
    _check_adds_up(document)
    fills = document["bots"][0]["fills"]
    assert len(fills) > 10
    assert fills[0]["time"] >= "2022-01-01T00:15:00Z"
    assert second.stdout == first.stdout


def test_two_bots_share_one_account(opensqt: Opensqt, tmp_path: Path) -> None:
    """Each has its own fills; the account has the sum."""
    second = MANIFEST.split("---\n")[1].replace("name: grid", "name: wide").replace('"50"', '"200"')
    manifest = tmp_path / "two.yaml"
    manifest.write_text(MANIFEST.replace("days: 3", "days: 1") + "---\n" + second)
    done = opensqt("run", "-f", manifest, "--until-end", "-o", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    grid, wide = document["bots"]
    assert grid["fills"]
    assert not {fill["clientId"] for fill in grid["fills"]} & {fill["clientId"] for fill in wide["fills"]}
    profits = sum(Decimal(bot["realisedPnl"]) + Decimal(bot["unrealisedPnl"]) for bot in (grid, wide))
    assert Decimal(document["connectors"][0]["equity"]) == BALANCE + profits


def test_a_named_state_is_kept_and_reported_again(opensqt: Opensqt, manifest: Path, candles: Path) -> None:
    arguments = ("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json", "--state-dir", "kept")
    first = json.loads(opensqt(*arguments).stdout)
    again = json.loads(opensqt(*arguments).stdout)
    assert again["bots"][0]["fills"] == first["bots"][0]["fills"]
    assert again["bots"][0]["position"] == first["bots"][0]["position"]


def test_disturbed_runs_come_to_the_same_end(opensqt: Opensqt, manifest: Path, candles: Path, tmp_path: Path) -> None:
    """Interrupted, killed outright, its bot killed: the fills are those of a run that nobody disturbed."""
    arguments = ("-f", manifest, "--candles", candles, "--until-end", "--state-dir", "disturbed")
    with Running(*arguments, cwd=tmp_path) as run:
        run.wait_for(lambda: len(run.fills()) >= 2)
        assert run.interrupt() == 130
    with Running(*arguments, cwd=tmp_path) as run:
        run.wait_for(lambda: len(run.fills()) >= 2)
        run.process.kill()
        run.ended()
    with Running(*arguments, "-o", "json", cwd=tmp_path) as run:
        run.wait_for(lambda: run.says("STATE=Running"))
        os.kill(run.pid_of("bot grid"), signal.SIGKILL)
        assert run.ended() == 0
    undisturbed = opensqt("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json")
    disturbed, expected = json.loads(run.output), json.loads(undisturbed.stdout)
    _check_adds_up(disturbed)
    fills = [
        [(fill["time"], fill["side"], fill["price"], fill["quantity"], fill["fee"]) for fill in one["bots"][0]["fills"]]
        for one in (disturbed, expected)
    ]
    assert fills[0] == fills[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "line 3: timestamp 2021-12-31 23:01:00"),
        (lambda lines: [lines[0].replace("high", "hi"), *lines[1:]], "lacks the column high"),
        (lambda lines: [*lines[:5], lines[5].replace(",46", ",x46"), *lines[6:]], "line 6:"),
        (lambda lines: lines[:1], "holds no candles"),
    ],
)
def test_bad_candles_are_named_with_file_and_line(
    opensqt: Opensqt, manifest: Path, candles: Path, thrown: Path, change: Any, says: str
) -> None:
    candles.write_text("\n".join(change(candles.read_text().splitlines())) + "\n")
    done = opensqt("run", "-f", manifest, "--candles", candles, "--until-end", "-o", "json")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if "BadMarketData" in line and line.startswith("opensqt run:")]
    assert "candles.csv" in line
    (kept,) = thrown.iterdir()
    assert [path.name for path in kept.iterdir()] == ["logs"]
    assert f"the logs are kept in {kept / 'logs'}" in done.stderr
    assert says in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--candles", "nowhere.csv"), "--candles"),
        (("--dsn", "postgresql://me:hush@127.0.0.1:1/none"), "postgresql://me@127.0.0.1:1/none cannot be used now"),
        (("--speed", "0"), "Invalid value for '--speed'"),
        (("-o", "xml"), "Invalid value for '-o'"),
    ],
)
def test_bad_options_are_said_at_once(opensqt: Opensqt, manifest: Path, arguments: tuple[str, ...], says: str) -> None:
    done = opensqt("run", "-f", manifest, "--until-end", *arguments)
    assert done.returncode in {1, 2}
    assert says in done.stderr
    assert "hush" not in done.stdout + done.stderr


def test_an_unknown_symbol_is_refused_before_anything_starts(opensqt: Opensqt, tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(MANIFEST.replace("  symbol: BTC/USDT:USDT\n  grid", "  symbol: XYZ/USDT:USDT\n  grid"))
    done = opensqt("run", "-f", manifest, "--until-end")
    assert done.returncode == 2
    assert "spec.symbol: XYZ/USDT:USDT is no market of the paper exchange 'paper'" in done.stderr
    assert done.stdout == ""
