"""The engine's view and the probes as `opensqt.bot.v1.Status`. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from opensqt.bot.v1 import bot_pb2 as pb
from opensqt.engine.market import DUST, Market, from_money
from opensqt.engine.view import BreakerView, EngineView, LimitView, Phase, SlotView, Unit
from opensqt.runtime.probes import Probe

PHASES = {phase: pb.Phase.Value(f"PHASE_{phase.name}") for phase in Phase}
_PPM = Decimal(10**6)


def probe_of(probe: Probe) -> pb.Probe:
    return pb.Probe(
        name=probe.name, healthy=probe.healthy, reason=probe.reason, message=probe.message, since_us=probe.since_us
    )


def status_of(view: EngineView, market: Market) -> pb.Status:
    """All that the engine knows; probes and what the process knows are added to it."""
    return pb.Status(
        epoch=view.epoch,
        generation=view.generation,
        phase=PHASES[view.phase],
        reason=view.reason,
        message=view.message,
        last_price=plain(market.from_ticks(view.last_price)),
        anchor_price=plain(market.from_ticks(view.anchor)),
        lower_price=plain(market.from_ticks(view.lower)) if view.lower else "",
        upper_price=plain(market.from_ticks(view.upper)) if view.upper else "",
        step=plain(market.from_ticks(view.step)) if view.step else "",
        average_true_range=money(view.average_true_range) if view.average_true_range else "",
        position=plain(market.from_lots(view.position, view.dust)),
        average_entry_price=plain(average_entry_price(view, market)),
        realised_pnl=money(view.realised),
        unrealised_pnl=money(view.unrealised),
        fees=money(view.fees),
        funding=money(view.funding),
        volume=money(view.volume),
        open_buys=view.open_buys,
        open_sells=view.open_sells,
        fills=view.fills,
        cycles=view.cycles,
        consecutive_losses=view.consecutive_losses,
        drawdown=money(view.drawdown),
        breaker=_breaker_of(view.breaker),
        gate=[pb.GateReason(reason=one.reason, message=one.message, exits=one.exits) for one in view.gate],
        monitor=pb.Monitor(
            state=view.monitor.state,
            message=view.monitor.message,
            since_us=view.monitor.since,
            triggers=view.monitor.triggers,
        ),
        reconciliation=_reconciliation_of(view),
        limits=[_limit_of(limit, market) for limit in view.limits],
        time_us=view.time,
    )


def urgent_part(status: pb.Status) -> bytes:
    """What must be told at once when it changes: all but numbers and times."""
    told = status.reconciliation
    urgent = pb.Status(
        epoch=status.epoch,
        generation=status.generation,
        phase=status.phase,
        reason=status.reason,
        message=status.message,
        breaker=status.breaker,
        gate=status.gate,
        monitor=status.monitor,
        reconciliation=pb.Reconciliation(
            failing_since_us=told.failing_since_us, counts=told.counts, newest=told.newest
        ),
        limits=[pb.Limit(name=limit.name, limit=limit.limit, reached=limit.reached) for limit in status.limits],
        probes=status.probes,
        weaknesses=status.weaknesses,
        market_ended=status.market_ended,
    )
    return urgent.SerializeToString(deterministic=True)


def slots_of(slots: Iterable[SlotView], market: Market) -> list[pb.Slot]:
    return [
        pb.Slot(
            index=slot.number,
            price=plain(market.from_ticks(slot.price)),
            position=slot.position,
            order=slot.order,
            held=plain(market.from_lots(slot.held)),
            client_id=slot.client_id,
            side=slot.side,
        )
        for slot in slots
    ]


def average_entry_price(view: EngineView, market: Market) -> Decimal:
    """To a hundredth of a tick; 0 where there is none, as may be where a neutral grid's two sides are netted."""
    held = view.position + Decimal(view.dust) / DUST
    if not held:
        return Decimal(0)
    ticks = max(Decimal(0), Decimal(view.entry_cost) / (held * market.tick_value))
    return ticks.quantize(Decimal("0.01")) * market.tick_size


def money(amount: int) -> str:
    return plain(from_money(amount))


def plain(number: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _breaker_of(breaker: BreakerView) -> pb.Breaker:
    return pb.Breaker(
        open=breaker.open,
        reason=breaker.reason,
        message=breaker.message,
        opened_us=breaker.opened_at,
        resets_us=breaker.resets_at,
        trips=breaker.trips,
    )


def _reconciliation_of(view: EngineView) -> pb.Reconciliation:
    return pb.Reconciliation(
        counts=[pb.DiscrepancyCount(kind=kind, count=count) for kind, count in view.discrepancy_counts],
        newest=[
            pb.Discrepancy(time_us=one.time, kind=one.kind, what=one.what, resolution=one.resolution)
            for one in view.discrepancies
        ],
    )


def _limit_of(limit: LimitView, market: Market) -> pb.Limit:
    def amount(number: int) -> str:
        match limit.unit:
            case Unit.LOTS:
                return plain(market.from_lots(number))
            case Unit.MONEY:
                return money(number)
            case Unit.PPM:
                return plain(number / _PPM)
            case Unit.ORDERS:
                return str(number)

    return pb.Limit(name=limit.name, used=amount(limit.used), limit=amount(limit.limit), reached=limit.reached)
