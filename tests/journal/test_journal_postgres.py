"""Errors of connections say what is wrong and never the password."""

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.journal.embedded import EmbeddedPostgres
from opensqt.journal.errors import JournalMisconfigured, JournalUnreachable
from opensqt.journal.journal import Journal
from opensqt.journal.postgres import connect, create_pool, redacted, typed_errors
from tests.journal.sample import IDENTITY
from tests.runtime.processes import free_ports

PASSWORD = "xyzzy-Geheimnis"  # noqa: S105


def shown(error: BaseException | None) -> str:
    """All that a traceback would show of it."""
    text = ""
    while error is not None:
        text += f"{error!r} {error}\n"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


@given(
    password=st.text(st.characters(exclude_categories=["Cs"]), min_size=6),
    quoted=st.booleans(),
    user=st.sampled_from(["opensqt", "a.b-c"]),
    form=st.sampled_from(
        [
            "postgresql://{user}:{password}@db.example:5432/trading",
            "postgresql://{user}:{password}@one:1,two:2/trading?sslmode=require",
            "postgresql://db.example/trading?user={user}&password={password}",
            "postgres://{user}:{password}@/trading?host=/run/pg",
            "host=db.example user={user} password={password}",
        ]
    ),
)
def test_no_password_is_ever_shown(password: str, quoted: bool, user: str, form: str) -> None:
    """Whether its special characters are escaped or not."""
    written = quote(password, safe="") if quoted else password
    dsn = form.format(user=user, password=written)
    rest = redacted(form.format(user=user, password="p"))  # noqa: S106
    for piece in (written, *written.split("@"), *written.split("/"), *written.split(":"), *written.split("#")):
        if len(piece) >= 6:
            assert piece not in redacted(dsn).replace(rest, "")


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://bob:secret@db:5432/trading", "postgresql://bob@db:5432/trading"),
        ("postgresql://bob:secret@a:1,b:2,[::1]:3/trading", "postgresql://bob@a:1,b:2,[::1]:3/trading"),
        ("postgresql:///trading?user=bob&password=secret&host=/run/pg", "postgresql://bob@/run/pg/trading"),
        ("postgresql:///trading?host=/run/a&host=/run/b&user=bob&user=eve", "postgresql://bob@/run/a/trading"),
        ("postgresql://db/trading", "postgresql://db/trading"),
        ("postgres://db/trading", "postgresql://db/trading"),
        ("postgresql:///trading", "postgresql:///trading"),
    ],
)
def test_the_rest_is_shown(dsn: str, expected: str) -> None:
    assert redacted(dsn) == expected


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://bob:{PASSWORD}@127.0.0.1:{{port}}/trading",
        f"postgresql://bob:{PASSWORD}@no-such-host.invalid/trading",
        f"postgresql://bob:{PASSWORD}@/trading?host=/no/such/folder",
    ],
)
async def test_a_database_that_does_not_answer(dsn: str) -> None:
    dsn = dsn.format(port=free_ports()[0])
    for attempt in (Journal.open(dsn, **IDENTITY), create_pool(dsn, application="test", size=1)):
        with pytest.raises(
            JournalUnreachable, match=r"postgresql://bob@.*/trading cannot be used now: \w*[eE]rror"
        ) as caught:
            await attempt
        assert PASSWORD not in shown(caught.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "nonsense",
        f"mysql://bob:{PASSWORD}@127.0.0.1/trading",
        f"postgresql://bob:{PASSWORD}#1@127.0.0.1/trading",
        f"postgresql://bob:1/{PASSWORD}@127.0.0.1/trading",
        f"postgresql://bob:{PASSWORD}@127.0.0.1:port/trading",
        f"postgresql://bob:{PASSWORD}@127.0.0.1/trading?sslmode=nonsense",
        f"host=127.0.0.1 user=bob password={PASSWORD}",
    ],
)
async def test_what_is_no_dsn(dsn: str) -> None:
    for attempt in (connect(dsn, application="test"), create_pool(dsn, application="test", size=1)):
        with pytest.raises(JournalMisconfigured, match="escape special characters") as caught:
            await attempt
        assert PASSWORD not in shown(caught.value)


async def test_a_database_that_does_not_exist(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(JournalMisconfigured, match='database "nowhere" does not exist'):
        await Journal.open(postgres_server.dsn_of("opensqt", "nowhere"), **IDENTITY)


async def test_a_role_without_rights(postgres_server: EmbeddedPostgres, postgres_dsn: str) -> None:
    superuser = await connect(postgres_server.dsn_of("postgres", "postgres"), application="test")
    await superuser.execute("DROP ROLE IF EXISTS visitor")
    await superuser.execute("CREATE ROLE visitor LOGIN")
    await superuser.close()
    with pytest.raises(JournalMisconfigured, match="permission denied"):
        await Journal.open(postgres_dsn.replace("//opensqt@", "//visitor@"), **IDENTITY)


async def test_a_server_that_accepts_and_says_nothing(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(JournalUnreachable, match="TimeoutError"):
        await Journal.open(f"postgresql://bob:{PASSWORD}@127.0.0.1:{port}/trading", **IDENTITY, timeout=0.2)
    server.close()


async def test_a_read_only_server_is_waited_for(postgres_server: EmbeddedPostgres, postgres_dsn: str) -> None:
    """A standby becomes the primary by and by."""
    journal = await Journal.open(postgres_dsn, **IDENTITY)
    superuser = await connect(postgres_server.dsn_of("postgres", "postgres"), application="test")
    database = postgres_dsn.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
    await superuser.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    await journal.close()
    with pytest.raises(JournalUnreachable, match="read-only"):
        await journal.append([])
    await superuser.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    await superuser.close()
    await journal.append([])
    await journal.close()


async def test_each_connection_of_a_pool_is_durable_and_named(postgres_dsn: str) -> None:
    pool = await create_pool(postgres_dsn, application="opensqt paper", size=2)
    try:
        async with pool.acquire() as one, pool.acquire() as other:
            for connection in (one, other):
                assert await connection.fetchval("SHOW synchronous_commit") == "on"
                assert await connection.fetchval("SHOW application_name") == "opensqt paper"
            with pytest.raises(TimeoutError):
                await pool.acquire(timeout=0.1)  # both are taken
    finally:
        await pool.close()


async def test_a_statement_that_is_never_answered_is_given_up(postgres_dsn: str) -> None:
    pool = await create_pool(postgres_dsn, application="test", size=1, timeout=0.5)
    try:
        with pytest.raises(JournalUnreachable, match="TimeoutError"), typed_errors(postgres_dsn):
            await pool.execute("SELECT pg_sleep(60)")
    finally:
        pool.terminate()
