"""A flood of messages leaves turns to others, and loses nothing."""

import asyncio
from collections import deque
from itertools import pairwise

from opensqt.connector.ccxt_venue.delivery import AT_ONCE, remembering

OVERHEAD = 7


class Client:
    """As much of ccxt's as reads: it drains what waits but for the last message, which aiohttp hands out."""

    def __init__(self, messages: int) -> None:
        self.buffer = deque((f"message {number}", 10) for number in range(messages))
        self.handled: list[str] = []
        self.asyncio_loop = asyncio.get_running_loop()
        self.drained = asyncio.Event()

    def closed(self) -> bool:
        return False

    def handle_message(self, message: str) -> None:
        self.handled.append(message)

    def receive_loop(self) -> None:
        while len(self.buffer) > 1:
            message, size = self.buffer.popleft()
            self.buffer[0] = (self.buffer[0][0], self.buffer[0][1] + size + OVERHEAD)
            self.handle_message(message)
        self.drained.set()


async def test_a_flood_is_read_in_small_parts() -> None:
    client = remembering(Client, OVERHEAD)(100)
    turns: list[int] = []

    async def others() -> None:
        while not client.drained.is_set():
            turns.append(len(client.handled))
            await asyncio.sleep(0)

    client.receive_loop()
    await others()
    assert client.handled == [f"message {number}" for number in range(99)]
    assert max(later - before for before, later in pairwise(turns)) <= AT_ONCE
    assert client.buffer == deque([("message 99", 10 + 99 * (10 + OVERHEAD))]), "aiohttp's count of bytes"


async def test_a_few_messages_are_left_to_ccxt() -> None:
    client = remembering(Client, OVERHEAD)(AT_ONCE + 1)
    client.receive_loop()
    assert client.drained.is_set()
