"""ccxt's WebSocket client forgets what arrives while nobody waits for it; here the next one who waits is told at once.

Between a message and the next `watch_…` call there is always a moment in which nobody waits: of two fills in one
packet, ccxt alone would show the second only when a third arrives.
"""

from typing import Any


def remembering(client: type[Any]) -> type[Any]:
    """The client's class with a memory of one result for each name that was ever awaited."""

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

    return Remembering
