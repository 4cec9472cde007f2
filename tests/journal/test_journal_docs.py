"""The SQL that docs/recovery.md gives to people works, and says what it promises."""

import re
from pathlib import Path

import pytest

from opensqt.engine.events import OrderState
from opensqt.journal.postgres import Connection
from tests.journal.conftest import OpenJournal
from tests.journal.sample import IDENTITY, decided, fill, place, price, report

DOCUMENT = (Path(__file__).parents[2] / "docs" / "recovery.md").read_text(encoding="utf-8")
QUERIES = {
    match[1]: match[2].replace("'…'", f"'{IDENTITY['bot_uid']}'")
    for block in re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    for match in re.finditer(r"-- (.*?)\n(.*?;)", block, re.DOTALL)
}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The bots, and how far each is.", 1),
        ("The last that a bot was told.", 3),
        ("Position in lots and fees in quote currency, from the fills.", 1),
        ("Orders that are not known to have ended.", 1),
        ("No gap, no event twice: this gives no row.", 0),
    ],
)
async def test_the_queries_for_people(open_journal: OpenJournal, sql: Connection, title: str, expected: int) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1)], [place("o1"), place("o2")]))
    await journal.append(decided([fill("o1", "t1", lots=5), report("o1", OrderState.FILLED, filled=5)]))
    rows = await sql.fetch(QUERIES[title])
    assert len(rows) == expected
    if title.startswith("Position"):
        assert rows[0]["position"] == 5
    if title.startswith("Orders"):
        assert (rows[0]["client_id"], rows[0]["status"]) == ("o2", "Intended")


async def test_a_gap_is_found(open_journal: OpenJournal, sql: Connection) -> None:
    journal = await open_journal()
    await journal.append(decided([price(1), price(2)]))
    await sql.execute("DELETE FROM opensqt.events WHERE seq = 1")
    assert len(await sql.fetch(QUERIES["No gap, no event twice: this gives no row."])) == 1


def test_every_query_is_tried() -> None:
    assert len(QUERIES) == 5
