"""What the comparison of a GridBot with its exchange has found, in its status."""

from datetime import datetime

from pydantic import Field

from opensqt.api.schema import Integer, Model, keyed_by


class DiscrepancyStatus(Model):
    """A difference between the exchange and the bot."""

    time: datetime | None = None
    kind: str = Field(
        max_length=64,
        description=(
            "MissedFill, LateFill, UnknownOrder, LostOrder, ReturnedOrder, ForeignPosition or PositionDivergence."
        ),
    )
    what: str = Field(default="", max_length=1024)
    resolution: str = Field(
        default="",
        max_length=64,
        description="Booked, Cancelled, Freed, Adopted, Ignored, EntriesStopped or BreakerOpened.",
    )


class DiscrepancyCount(Model):
    kind: str = Field(max_length=64)
    count: Integer = Field(default=0, ge=0)


class ReconciliationStatus(Model):
    """Orders, fills and position compared with the exchange."""

    last_run: datetime | None = Field(
        default=None, description="When all was last compared, as of the last report; absent in lockstep."
    )
    failing_since: datetime | None = Field(default=None, description="Since when no comparison has succeeded.")
    message: str = Field(default="", max_length=1024, description="Why the last comparison failed.")
    counts: list[DiscrepancyCount] = Field(
        default_factory=list, max_length=16, json_schema_extra=keyed_by("kind"), description="Differences so far."
    )
    newest: list[DiscrepancyStatus] = Field(default_factory=list, max_length=8, description="Oldest first.")
