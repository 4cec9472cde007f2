"""Lines to connectors: their status, asked for again and again, for there is no stream of it."""

import asyncio

from opensqt.exchange.v1 import exchange_pb2, exchange_pb2_grpc
from opensqt_operator.lines import Line

_TIME_OUT = 5.0
_INTERVAL = 1.0

ConnectorReport = exchange_pb2.GetConnectorStatusResponse


class ConnectorLine(Line[ConnectorReport]):
    """A line to the Pod of one connector."""

    async def listen(self) -> None:
        stub = exchange_pb2_grpc.ExchangeServiceStub(self.channel)
        told: object = None
        while True:
            report = await stub.GetConnectorStatus(exchange_pb2.GetConnectorStatusRequest(), timeout=_TIME_OUT)
            news = (report.revision, report.ready, report.reason, report.message, progress(report))
            self.heard(report, news=news != told)
            told = news
            await asyncio.sleep(_INTERVAL)


def progress(report: ConnectorReport) -> tuple[tuple[str, str, bool], ...]:
    """How far each paper market has been played: symbol, whole percent or "live", whether it is at its end."""
    return tuple(
        (market.symbol, f"{100 * market.played // market.total}%" if market.total else "live", market.ended)
        for market in report.markets
    )
