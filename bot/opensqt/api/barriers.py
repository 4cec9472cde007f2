"""What ends a grid as a whole."""

from enum import StrEnum

from pydantic import Field

from opensqt.api.schema import Integer, Model, PositiveDecimal


class BarrierAction(StrEnum):
    CLOSE_POSITION = "ClosePosition"
    CANCEL_ORDERS = "CancelOrders"
    PAUSE = "Pause"


class Barriers(Model):
    """Take profit, stop loss and time limit of the whole grid. What is reached first ends it: state Stopped (or Paused)
    with the reason, until something in here changes."""

    take_profit: PositiveDecimal | None = Field(
        default=None, description="Ends when status.pnl.total is this much or more, in quote currency."
    )
    stop_loss: PositiveDecimal | None = Field(
        default=None, description="Ends when status.pnl.total is this far below zero, in quote currency."
    )
    take_profit_price: PositiveDecimal | None = Field(
        default=None,
        description=(
            "Ends when the price has come here: Long from below, Short from above; Neutral from where it began."
        ),
    )
    stop_loss_price: PositiveDecimal | None = Field(
        default=None,
        description=(
            "Ends when the price has come here: Long from above, Short from below; Neutral from where it began."
        ),
    )
    time_limit_seconds: Integer | None = Field(
        default=None,
        ge=1,
        le=315_360_000,
        description="Ends so long after the grid's first price, or after the last change of barriers.",
    )
    then: BarrierAction = Field(
        default=BarrierAction.CLOSE_POSITION,
        description=(
            "ClosePosition cancels all orders and sells the position at market, CancelOrders keeps the position, "
            "Pause keeps the exits in the market too."
        ),
    )
