"""What the observations of a GridBot and of an ExchangeConnector have in common: the resource, as it was read."""

from dataclasses import dataclass
from datetime import datetime

from opensqt_operator.conditions import Verdict
from opensqt_operator.names import FINALIZER, FORCE_DELETE, Object
from opensqt_operator.options import Options


@dataclass(frozen=True, kw_only=True)
class Owned:
    """A resource that is ours to reconcile, and when it was looked at."""

    now: datetime
    raw: Object
    options: Options
    trouble: Verdict | None = None
    """What the API server or the bot refused when the plan was last carried out."""

    @property
    def generation(self) -> int:
        return int(self.raw["metadata"]["generation"])

    @property
    def deleting(self) -> bool:
        return "deletionTimestamp" in self.raw["metadata"]

    @property
    def held(self) -> bool:
        """Whether our finalizer is on it."""
        return FINALIZER in self.raw["metadata"].get("finalizers", ())

    @property
    def forced(self) -> bool:
        """Whether it is to be let go at once, whatever is left behind."""
        return bool(self.raw["metadata"].get("annotations", {}).get(FORCE_DELETE) == "true")
