"""Stands for `opensqt` in the connectors' image of these tests: the same, with a simulator on its loopback.

A connector takes a simulator on loopback alone. So each connection to the exchange's port there is carried on to the
simulators' Service; a connector that is killed takes this with it, and the simulators know nothing of that.
"""

import asyncio
import contextlib
import json
import os
import sys

from opensqt.api.exchange import Exchange
from opensqt.api.process import RESOURCE_ENV
from opensqt.connector.ccxt_venue import ENDPOINT_ENV
from tests.e2e.exchanges.ports import EXCHANGE_PORTS, SERVICE

OPENSQT = "/opt/opensqt/bin/opensqt"


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What comes in goes out, until one side ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        onward = await asyncio.open_connection(SERVICE, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pour(reader, onward[1]), _pour(onward[0], writer))


async def _forward(port: int) -> None:
    server = await asyncio.start_server(lambda reader, writer: _carry(reader, writer, port), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    exchange = Exchange(json.loads(os.environ[RESOURCE_ENV])["spec"]["exchange"])
    port = EXCHANGE_PORTS[exchange]
    if not os.fork():
        asyncio.run(_forward(port))
    os.environ[ENDPOINT_ENV] = f"http://127.0.0.1:{port}"
    os.execv(OPENSQT, [OPENSQT, *sys.argv[1:]])  # noqa: S606 - it becomes opensqt, whose process id is the container's


if __name__ == "__main__":
    main()
