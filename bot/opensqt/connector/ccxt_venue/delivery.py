"""ccxt's WebSocket client forgets what arrives while nobody waits for it; here the next one who waits is told at once.

Between a message and the next `watch_…` call there is always a moment in which nobody waits: of two fills in one
packet, ccxt alone would show the second only when a third arrives.

It also reads all that has arrived before anybody else has a turn: of a flood, hundreds of messages for one that is
passed on. Here the others have a turn after every few.

And a client that is closed while it connects has nothing to close yet: its connection would come all the same, and be
subscribed to everything beside its successor's.
"""

from typing import Any

AT_ONCE = 4
"""Messages read in one turn of the event loop."""


def remembering(client: type[Any], overhead: int) -> type[Any]:  # noqa: C901 - the methods of one class
    """The client's class with a memory of one result for each name that was ever awaited.

    `overhead` is what aiohttp counts for a message besides its length.
    """

    class Remembering(client):  # type: ignore[misc]
        def future(self, message_hash: str) -> Any:
            future = super().future(message_hash)
            memory = self.__dict__.setdefault("_remembered", {})
            kept = memory.get(message_hash)
            memory[message_hash] = None
            if kept is not None:
                future.resolve(kept)
                self.futures.pop(message_hash, None)
            return future

        def resolve(self, result: Any, message_hash: str) -> Any:
            memory = self.__dict__.setdefault("_remembered", {})
            if message_hash in memory and message_hash not in self.futures:
                memory[message_hash] = result
            return super().resolve(result, message_hash)

        async def open(self, session: Any, backoff_delay: float = 0) -> None:
            await super().open(session, backoff_delay)
            if self.__dict__.get("_given_up"):
                await self.aiohttp_close()

        async def close(self, code: int = 1000) -> None:
            self.__dict__["_given_up"] = True
            await super().close(code)

        def receive_loop(self) -> None:
            waiting = self.buffer
            if self.closed() or not waiting or len(waiting) <= AT_ONCE + 1:
                super().receive_loop()
                return
            size = 0
            for _ in range(AT_ONCE):
                message, length = waiting.popleft()
                size += length + overhead
                self.handle_message(message)
            # aiohttp takes off what it has counted for each message when the last of them is read.
            waiting[0] = (waiting[0][0], waiting[0][1] + size)
            self.asyncio_loop.call_soon(self.receive_loop)

    return Remembering
