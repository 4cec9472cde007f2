"""`opensqt replay`: says that all comes out the same, or what does not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from opensqt.engine.codec import decode_action, decode_event
from opensqt.engine.engine import Engine
from opensqt.engine.events import OrderState, Started
from opensqt.engine.replay import Decision
from opensqt.journal.journal import Journal
from tests.cli.conftest import MANIFEST, Opensqt
from tests.engine.rig import BOT_UID, MARKET, Rig

IDENTITY: dict[str, Any] = {"bot_uid": BOT_UID, "namespace": "default", "name": "grid", "symbol": MARKET.symbol}


def traded() -> list[Decision]:
    """A bot that buys on the way down and sells on the way up, and is started again on the way."""
    rig = Rig()
    for price in (1000, 1004, 995, 988, 1004, 1012, 999, 1030, 1015, 1004):
        rig.price(price)
        rig.settle()
        for client_id in rig.engine.live_orders():
            place = rig.places[client_id]
            if place.price and (price - place.price) * (1 if place.side == "Buy" else -1) < 0:
                rig.fill(client_id, fee=3)
                rig.report(client_id, OrderState.FILLED, place.lots)
        if price == 1012:
            rig.feed(Started(rig.now, 2, replace(MARKET, maker_fee_ppm=300), "another"))
        rig.settle()
        rig.now += 1_000_000
    lines = [json.loads(line) for line in rig.log]
    first, *rest = [Decision(decode_event(event), [*map(decode_action, actions)]) for event, actions in lines]
    return [Decision(Started(first.event.time, 1, MARKET, "one"), first.actions), *rest]


@pytest_asyncio.fixture
async def journal_dsn(postgres_dsn: str) -> str:
    """The journal of such a bot, with a snapshot in the middle."""
    journal = await Journal.open(postgres_dsn, **IDENTITY)
    engine = Engine(MARKET, BOT_UID)
    decisions = traded()
    for number, decision in enumerate(decisions, 1):
        engine.on(decision.event)
        await journal.append([decision])
        if number == len(decisions) // 2:
            await journal.save_snapshot(number, engine.snapshot())
    await journal.close()
    return postgres_dsn


async def change(dsn: str, statement: str) -> None:
    """What nobody should ever do to a journal."""
    connection = await asyncpg.connect(dsn)
    try:
        assert await connection.execute(statement) not in {"UPDATE 0", "DELETE 0", "INSERT 0 0"}
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["grid", "default/grid", BOT_UID])
async def test_an_untouched_journal_comes_out_the_same(opensqt: Opensqt, journal_dsn: str, name: str) -> None:
    done = opensqt("replay", name, "--dsn", journal_dsn)
    assert done.returncode == 0, done.stderr
    assert "every decision is the same" in done.stdout
    assert ", 2 starts" in done.stdout
    assert not done.stderr


async def test_as_json(opensqt: Opensqt, journal_dsn: str) -> None:
    done = opensqt("replay", "grid", "--dsn", journal_dsn, "-o", "json")
    said = json.loads(done.stdout)
    assert (said["same"], said["difference"], said["afterSeq"]) == (True, None, 0)
    assert said["events"] == said["lastSeq"] == len(traded())
    assert said["fills"] > 5
    assert [*said["engines"].values()] == ["one", "another"]


async def test_only_what_came_after_the_snapshot(opensqt: Opensqt, journal_dsn: str) -> None:
    await change(journal_dsn, "UPDATE opensqt.events SET actions = '[]' WHERE seq < 10 AND actions::text <> '[]'")
    assert opensqt("replay", "grid", "--dsn", journal_dsn).returncode == 1
    done = opensqt("replay", "grid", "--dsn", journal_dsn, "--from-snapshot", "-o", "json")
    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert said["afterSeq"] + said["events"] == said["lastSeq"]
    assert said["afterSeq"] == len(traded()) // 2


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            (
                "UPDATE opensqt.events SET actions = replace(actions::text, '\"lots\":10', '\"lots\":11')::json "
                "WHERE seq = (SELECT min(seq) FROM opensqt.events WHERE actions::text LIKE '%\"lots\":10%')"
            ),
            ["decision", "lots=11", "lots=10"],
        ),
        (
            (
                "UPDATE opensqt.events SET actions = '[]' WHERE seq = (SELECT max(seq) FROM opensqt.events "
                "WHERE actions::text LIKE '%Cancel%')"
            ),
            ["decision", "nothing", "Cancel("],
        ),
        ("UPDATE opensqt.snapshots SET snapshot = replace(snapshot::text, '1000', '1001')::json", ["snapshot", "1001"]),
    ],
)
async def test_the_first_difference_is_named(
    opensqt: Opensqt, journal_dsn: str, statement: str, words: list[str]
) -> None:
    await change(journal_dsn, statement)
    done = opensqt("replay", "grid", "--dsn", journal_dsn)
    assert done.returncode == 1, done.stderr
    assert "first difference, at event" in done.stdout
    for word in words:
        assert word in done.stdout


async def test_the_event_of_a_difference_is_named(opensqt: Opensqt, journal_dsn: str) -> None:
    connection = await asyncpg.connect(journal_dsn)
    newest = "SELECT max(seq) FROM opensqt.events WHERE actions::text LIKE '%Place%'"
    seq = await connection.fetchval(newest)
    await connection.execute("UPDATE opensqt.events SET actions = '[]' WHERE seq = $1", seq)
    await connection.close()
    said = json.loads(opensqt("replay", "grid", "--dsn", journal_dsn, "-o", "json").stdout)
    assert not said["same"]
    assert (said["difference"]["seq"], said["difference"]["what"]) == (seq, "decision")
    assert said["difference"]["journal"] == []
    assert any(action.startswith("Place(") for action in said["difference"]["replay"])
    assert said["difference"]["event"]
    text = opensqt("replay", "grid", "--dsn", journal_dsn).stdout
    assert "engine another decided there, this one is" in text


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM opensqt.events WHERE seq = 12", "lacks event 12"),
        ("UPDATE opensqt.events SET event = replace(event::text, '/1', '/9')::json WHERE seq = 3", "unknown kind"),
        (
            'UPDATE opensqt.events SET event = \'{"k":"Started/1","time":1,"epoch":1}\' WHERE seq = 1',
            "--from-snapshot",
        ),
    ],
)
async def test_a_log_that_cannot_be_read_is_no_difference(
    opensqt: Opensqt, journal_dsn: str, statement: str, words: str
) -> None:
    await change(journal_dsn, statement)
    done = opensqt("replay", "grid", "--dsn", journal_dsn)
    assert done.returncode == 2
    assert words in done.stderr
    assert not done.stdout


async def test_a_bot_that_is_not_there_is_named_with_those_that_are(opensqt: Opensqt, journal_dsn: str) -> None:
    done = opensqt("replay", "other", "--dsn", journal_dsn)
    assert done.returncode == 2
    assert f"no bot other; it has default/grid ({BOT_UID})" in done.stderr
    journal = await Journal.open(journal_dsn, **{**IDENTITY, "bot_uid": "second"})
    await journal.close()
    done = opensqt("replay", "grid", "--dsn", journal_dsn)
    assert done.returncode == 2
    assert "2 bots are called grid, give the uid" in done.stderr


def test_where_there_is_no_journal(opensqt: Opensqt, tmp_path: Path) -> None:
    done = opensqt("replay", "grid")
    assert done.returncode == 2
    assert "--state-dir" in done.stderr


def test_a_real_run_comes_out_the_same(opensqt: Opensqt, tmp_path: Path) -> None:
    """Through the processes, the connector and the embedded PostgreSQL, which is started for the replay."""
    manifest = tmp_path / "grid.yaml"
    manifest.write_text(MANIFEST.replace("days: 3", "days: 1"))
    run = opensqt("run", "-f", manifest, "--until-end", "--state-dir", "state")
    assert run.returncode == 0, run.stderr
    done = opensqt("replay", "grid", "--state-dir", "state", "-o", "json")
    said = json.loads(done.stdout)
    assert said["same"], said
    assert said["fills"] > 50
