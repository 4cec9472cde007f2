"""The account of a run: one JSON-able document. Decimals are strings, times are ISO 8601 in UTC."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from opensqt.api import API_VERSION
from opensqt.cli.run.fills import Fill, FillLog
from opensqt.cli.run.follow import BotView, ConnectorView
from opensqt.cli.run.picture import readiness
from opensqt.connector.venue import Account, VenueOrder
from opensqt.engine.client_id import client_id_prefix
from opensqt.journal.reader import JournalReader
from opensqt.runtime.translation import market_of


async def report(bots: Sequence[BotView], connectors: Sequence[ConnectorView], dsn: str) -> dict[str, Any]:
    """All fills are the journal's, open orders and equity the exchange's, the rest is what the bots say.

    Raises VenueError, JournalError and grpc.aio.AioRpcError.
    """
    await asyncio.gather(*(view.refresh() for view in bots), *(view.refresh() for view in connectors))
    reader = await JournalReader.open(dsn)
    try:
        accounts = {id(view.planned): await view.client.account() for view in connectors}
        clients = {id(view.planned): view.client for view in connectors}
        documents = []
        for view in bots:
            planned = view.planned
            uid, symbol = planned.resource.metadata.uid, planned.resource.spec.symbol
            client = clients[id(planned.connector)]
            (rules,) = await client.symbols([symbol])
            fills = await FillLog(uid, market_of(rules)).newer(reader)
            orders = await client.open_orders(symbol, client_id_prefix(uid))
            documents.append(_bot(view, fills, orders, accounts[id(planned.connector)]))
    finally:
        await reader.close()
    return {
        "apiVersion": API_VERSION,
        "kind": "Run",
        "connectors": [_connector(view, accounts[id(view.planned)]) for view in connectors],
        "bots": documents,
    }


def _traded(fill: Fill) -> tuple[int, int, str]:
    """The exchange's order of trades: after a crash the bot may hear of them in another one."""
    return fill.time_us, len(fill.trade_id), fill.trade_id


def _bot(view: BotView, fills: Sequence[Fill], orders: Sequence[VenueOrder], account: Account) -> dict[str, Any]:
    resource, status = view.planned.resource, view.status
    _, reason, message = readiness(view)
    breaker = status.breaker
    return {
        "name": resource.metadata.name,
        "namespace": resource.metadata.namespace,
        "uid": resource.metadata.uid,
        "connector": resource.spec.connector_ref.name,
        "symbol": resource.spec.symbol,
        "side": resource.spec.side,
        "state": view.state,
        "reason": reason,
        "message": message,
        "marketEnded": status.market_ended,
        "realisedPnl": status.realised_pnl or "0",
        "unrealisedPnl": status.unrealised_pnl or "0",
        "fees": status.fees or "0",
        "funding": status.funding or "0",
        "volume": status.volume or "0",
        "position": status.position or "0",
        "averageEntryPrice": status.average_entry_price or "0",
        "lastPrice": status.last_price or "0",
        "cycles": status.cycles,
        "consecutiveLosses": status.consecutive_losses,
        "drawdown": status.drawdown or "0",
        "equity": plain(account.equity),
        "breaker": {
            "state": "Open" if breaker.open else "Closed",
            "reason": breaker.reason,
            "message": breaker.message,
            "openedAt": iso(breaker.opened_us),
            "resetsAt": iso(breaker.resets_us),
            "trips": breaker.trips,
        },
        "openOrders": [
            {
                "clientId": order.client_id,
                "side": order.side.value,
                "price": None if order.price is None else plain(order.price),
                "quantity": plain(order.quantity),
                "filled": plain(order.filled),
            }
            for order in sorted(orders, key=lambda order: (order.price or Decimal(0), order.client_id))
        ],
        "fills": [
            {
                "time": iso(fill.time_us),
                "side": fill.side,
                "price": plain(fill.price),
                "quantity": plain(fill.quantity),
                "fee": plain(fill.fee),
                "maker": fill.maker,
                "clientId": fill.client_id,
                "tradeId": fill.trade_id,
            }
            for fill in sorted(fills, key=_traded)
        ],
    }


def _connector(view: ConnectorView, account: Account) -> dict[str, Any]:
    markets = view.status.health.markets if view.status else ()
    return {
        "name": view.planned.resource.metadata.name,
        "namespace": view.planned.resource.metadata.namespace,
        "exchange": view.planned.resource.spec.exchange,
        "currency": account.currency,
        "equity": plain(account.equity),
        "available": plain(account.available),
        "walletBalance": plain(account.wallet_balance),
        "markets": [
            {
                "symbol": market.symbol,
                "played": market.played,
                "total": market.total,
                "time": iso(market.market_time_us),
                "ended": market.ended,
            }
            for market in markets
        ],
    }


def plain(number: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text


def iso(time_us: int) -> str | None:
    """None for no time."""
    if not time_us:
        return None
    seconds, micros = divmod(time_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    return moment.isoformat().replace("+00:00", "Z")
