"""The connector's fence: of each bot only the newest instance is served."""

from opensqt.connector.venue import Failure, VenueError
from opensqt.engine.events import Remedy
from opensqt.exchange.v1 import exchange_pb2 as pb


class Epochs:
    """The newest epoch seen of each bot.

    Kept in memory. A connector that has started anew learns them from the bots, which name themselves when they follow
    their orders, and before that place nothing; what holds meanwhile is the journal's fence (docs/decisions/0014).
    """

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def admit(self, caller: pb.Caller) -> None:
        """Raises `VenueError`: FIX_REQUEST for a caller without a name or epoch, FENCED where a newer one was seen."""
        uid, epoch = caller.bot_uid, caller.epoch
        if not uid:
            raise VenueError(Failure(Remedy.FIX_REQUEST, "caller.bot_uid: must not be empty"))
        if epoch < 1:
            raise VenueError(Failure(Remedy.FIX_REQUEST, "caller.epoch: must be at least 1"))
        newest = self._newest.get(uid, 0)
        if epoch < newest:
            message = f"caller.epoch: {epoch} is over, a newer instance of bot {uid} has epoch {newest}"
            raise VenueError(Failure(Remedy.FENCED, message))
        if epoch > newest:
            self._newest[uid] = epoch
