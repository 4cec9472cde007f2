"""Orders and fills are views of the log: what they show is what the log says, whatever an exchange has put into it."""

import random
from pathlib import Path

import asyncpg
import pytest

from opensqt.engine.actions import Action, Cancel, LookUp, Notify, OrderSide, Place, Severity, TimeInForce
from opensqt.engine.events import Event, OrderFilled, OrderNotFound, OrderReported, OrderState, PlaceFailed, Remedy
from opensqt.engine.replay import Decision
from opensqt.journal.errors import JournalMisconfigured
from opensqt.journal.journal import MIGRATIONS, SCHEMA
from opensqt.journal.migrate import migrate
from opensqt.journal.postgres import Connection
from opensqt.journal.reader import JournalReader
from tests.journal.conftest import OpenJournal
from tests.journal.sample import IDENTITY, decided, fill, place, price, report

BOT = IDENTITY["bot_uid"]
ODD = 'NUL \0, half a pair \ud800, "client_id":"o9", [{"k":"Place/1","client_id":"o9"}], {"k":"OrderFilled/1","time":1}'
ENDED = {"Filled", "Cancelled", "Rejected", "Expired"}


async def test_what_an_exchange_says_harms_no_view(open_journal: OpenJournal, sql: Connection) -> None:
    """PostgreSQL takes no NUL out of JSON, and a message may look like anything."""
    journal = await open_journal()
    notify = Notify(Severity.WARNING, "Odd", ODD)
    await journal.append(decided([price(1)], [notify, place("o1"), notify]))
    await journal.append(decided([PlaceFailed(2, "o1", Remedy.FIX_REQUEST, ODD), fill("o1", "t1")], [notify]))
    for where in ("TRUE", "client_id = 'o1'", "side = 'Buy' AND price > 0"):
        for status in ("TRUE", "status = 'PlaceFailed'"):
            rows = await sql.fetch(f"SELECT client_id, status FROM opensqt.orders WHERE {where} AND {status}")  # noqa: S608
            assert [tuple(row) for row in rows] == [("o1", "PlaceFailed")]
        rows = await sql.fetch(f"SELECT trade_id, lots FROM opensqt.fills WHERE {where}")  # noqa: S608
        assert [tuple(row) for row in rows] == [("t1", 1)]


async def test_any_log_is_shown_as_it_is(open_journal: OpenJournal, sql: Connection) -> None:
    chance = random.Random(11)  # noqa: S311 - no secret
    for number in range(12):
        uid = f"uid-{number}"
        journal = await open_journal(bot_uid=uid)
        log = [_decision(chance) for _ in range(chance.randint(1, 60))]
        while log[journal.seq :]:
            await journal.append(log[journal.seq : journal.seq + chance.randint(1, 7)])
        orders = await sql.fetch("SELECT * FROM opensqt.orders WHERE bot_uid = $1", uid)
        fills = await sql.fetch("SELECT * FROM opensqt.fills WHERE bot_uid = $1", uid)
        assert {row["client_id"]: dict(row) for row in orders} == _orders(uid, log)
        assert {row["trade_id"]: dict(row) for row in fills} == _fills(uid, log)
        assert len(fills) == len({row["trade_id"] for row in fills})


def _decision(chance: random.Random) -> Decision:
    """Anything, with few ids, so that much is said of each."""
    ids = [f"o{number}" for number in range(6)]
    client_id, trade_id = chance.choice(ids), f"t{chance.randint(1, 8)}"
    filled = OrderFilled(
        chance.randint(1, 9), client_id, trade_id, chance.randint(1, 9), 2, -(10**20), chance.random() < 0.5,
        side=chance.choice([*OrderSide, None]),
    )  # fmt: skip
    events: list[Event] = [
        filled,
        price(chance.randint(1, 9)),
        report(client_id, chance.choice(list(OrderState)), filled=chance.randint(0, 5)),
        OrderNotFound(3, client_id),
        PlaceFailed(4, client_id, Remedy.RETRY, ODD),
    ]
    actions: list[Action] = [Cancel(client_id), LookUp(client_id), Notify(Severity.NORMAL, "Odd", ODD)]
    wanted = [chance.choice([*actions, _order(chance.choice(ids))]) for _ in range(chance.randint(0, 3))]
    return Decision(chance.choice(events), wanted)


def _order(client_id: str) -> Place:
    """The same order for the same id."""
    number = int(client_id[1:])
    side = OrderSide.BUY if number % 2 else OrderSide.SELL
    return Place(client_id, side, None if number == 3 else 100 + number, 5, number == 4, TimeInForce.GTC)


def _orders(uid: str, log: list[Decision]) -> dict[str, dict[str, object]]:
    """The rows that the view must have: event after event, what has ended stays ended."""
    orders: dict[str, dict[str, object]] = {}
    said: dict[str, tuple[int, str, int]] = {}
    for seq, (event, actions) in enumerate(log, 1):
        client_id, status, filled = _said(event)
        before, known, most = said.get(client_id, (0, "", 0))
        stays = known in ENDED and status not in ENDED
        if client_id:
            said[client_id] = (before if stays else seq, known if stays else status, max(most, filled))
        for action in actions or ():
            if isinstance(action, Place):
                row = orders.setdefault(action.client_id, {"first_seq": seq, "placements": 0})
                row["last_seq"], row["placements"] = seq, int(str(row["placements"])) + 1
    for client_id, row in orders.items():
        order = _order(client_id)
        told, status, filled = said.get(client_id, (0, "", 0))
        row |= {"bot_uid": uid, "client_id": client_id, "side": order.side.value, "price": order.price}
        row |= {"lots": order.lots, "reduce_only": order.reduce_only, "time_in_force": order.time_in_force.value}
        row |= {"status": status if told > int(str(row["last_seq"])) else "Intended", "filled": filled}
    return orders


def _said(event: Event) -> tuple[str, str, int]:
    match event:
        case OrderNotFound():
            return event.client_id, "NotFound", 0
        case PlaceFailed():
            return event.client_id, "PlaceFailed", 0
        case OrderReported():
            return event.client_id, event.state.value, event.filled
    return "", "", 0


def _fills(uid: str, log: list[Decision]) -> dict[str, dict[str, object]]:
    fills: dict[str, dict[str, object]] = {}
    for seq, (event, _) in enumerate(log, 1):
        if isinstance(event, OrderFilled):
            row = {"bot_uid": uid, "trade_id": event.trade_id, "client_id": event.client_id, "seq": seq}
            row |= {"time": event.time, "side": event.side, "price": event.price, "lots": event.lots}
            fills.setdefault(event.trade_id, {**row, "fee": event.fee, "maker": event.maker})
    return fills


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The migrations up to the tables of orders, reports and fills."""
    for name in ("0001_journal.sql", "0002_actions.sql"):
        (tmp_path / name).write_text((MIGRATIONS / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


OLD_LOG = r"""
INSERT INTO opensqt.bots VALUES ('uid-1', 'default', 'btc-grid', 'BTC/USDT:USDT', 1, 3);
INSERT INTO opensqt.events (bot_uid, seq, epoch, time, event, actions) VALUES
    ('uid-1', 1, 1, 1, '{"k":"PriceChanged/1","time":1,"price":5}', '[{"k":"Place/1","client_id":"o1","side":"Sell",'
        '"price":7,"lots":5,"reduce_only":false,"time_in_force":"GTC"},{"k":"Notify/1",'
        '"severity":"Normal","reason":"Odd","message":"NUL \u0000"}]'),
    ('uid-1', 2, 1, 2, '{"k":"OrderFilled/1","time":2,"client_id":"o1","trade_id":"t1","price":7,"lots":5,"fee":3,'
        '"maker":true}', '[]'),
    ('uid-1', 3, 1, 3, '{"k":"OrderFilled/1","time":3,"client_id":"stranger","trade_id":"t2","price":7,"lots":5,'
        '"fee":3,"maker":true}', '[]');
INSERT INTO opensqt.orders VALUES ('uid-1', 'o1', 'Sell', 7, 5, false, 'GTC', 1, 1);
"""


async def test_a_journal_of_tables_is_migrated(
    open_journal: OpenJournal, postgres_dsn: str, sql: Connection, older: Path
) -> None:
    await migrate(sql, SCHEMA, older)
    await sql.execute(OLD_LOG)
    reader = await JournalReader.open(postgres_dsn)
    with pytest.raises(JournalMisconfigured, match="an older release, which a bot's next start migrates"):
        await reader.fills(BOT)
    log = await reader.decisions(BOT)
    journal = await open_journal()
    assert [(each.trade_id, each.side) for each in await reader.fills(BOT)] == [("t1", "Sell"), ("t2", None)]
    assert await reader.decisions(BOT, after_seq=2) == log[2:]
    await reader.close()
    first, told, _ = (await journal.load()).decisions
    assert [(1, first)] == log[:1]
    assert told.event == OrderFilled(2, "o1", "t1", 7, 5, 3, True, side=OrderSide.SELL)
    (order,) = await sql.fetch("SELECT * FROM opensqt.orders")
    assert (order["client_id"], order["side"], order["price"], order["placements"]) == ("o1", "Sell", 7, 1)


async def test_nothing_but_the_log_can_be_written(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1), fill("o1", "t1")], [place("o1")]))
    for statement in ("DELETE FROM opensqt.orders", "DELETE FROM opensqt.fills", "UPDATE opensqt.fills SET seq = 9"):
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
            await sql.execute(statement)
