"""What the metadata of a GridBot or an ExchangeConnector say: its generation, and its end."""

from opensqt_operator.names import FINALIZER, FORCE_DELETE, Object


class Owned:
    """What observations of both kinds have in common: the resource as it was read."""

    raw: Object

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
