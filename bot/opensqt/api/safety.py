"""What a GridBot's spec checks before it trades."""

from enum import StrEnum

from pydantic import Field

from opensqt.api.schema import Integer, Model


class ExistingPosition(StrEnum):
    REFUSE = "Refuse"
    IGNORE = "Ignore"
    ADOPT = "Adopt"


class Safety(Model):
    """Checked at each start and with each new spec. While something is found no entries are placed; exits go on."""

    required_slots: Integer = Field(
        default=0,
        ge=0,
        le=1000,
        description="Orders that equity times leverage must carry; 0: the entries of a window, as far as limits allow.",
    )
    max_clock_skew_milliseconds: Integer = Field(
        default=1000, ge=10, le=60_000, description="Largest difference of the connector's clock and the exchange's."
    )
    reconcile_interval_seconds: Integer = Field(
        default=30, ge=5, le=3600, description="How often orders and fills are compared with the exchange."
    )
