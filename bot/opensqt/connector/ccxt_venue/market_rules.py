"""The rules of symbols with what only the account knows: its own fees, and the most leverage where its tiers say it."""

from dataclasses import replace
from decimal import Decimal

import structlog

from opensqt.connector.ccxt_venue.session import CallError, Session
from opensqt.connector.venue import SymbolRules

log = structlog.get_logger(__name__)


class MarketRules:
    """Of one session; each is asked for once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._most_leverage: dict[str, int] = {}
        self._own_fees: dict[str, tuple[Decimal, Decimal]] = {}

    async def complete(self, rules: SymbolRules) -> SymbolRules:
        """The rules that ccxt has for everybody, made this account's own."""
        return await self._with_fees(await self._with_leverage(rules))

    async def _with_leverage(self, rules: SymbolRules) -> SymbolRules:
        if rules.max_leverage:  # 1 on spot
            return rules
        if not self._most_leverage:
            tiers = await self._session.read(lambda exchange: exchange.fetch_leverage_tiers())
            self._most_leverage = {
                symbol: max(
                    (int(Decimal(str(tier["maxLeverage"]))) for tier in rows if tier.get("maxLeverage")), default=0
                )
                for symbol, rows in tiers.items()
            }
        return replace(rules, max_leverage=self._most_leverage.get(rules.symbol, 0))

    async def _with_fees(self, rules: SymbolRules) -> SymbolRules:
        """As they are where the exchange does not tell."""
        if rules.symbol not in self._own_fees:
            try:
                maker, taker = await self._session.read(
                    lambda exchange: self._session.dialect.fees(exchange, rules.symbol)
                )
            except CallError as error:
                log.info("fees_not_told", symbol=rules.symbol, message=error.failure.message)
                return rules
            if maker is None or taker is None:
                return rules
            self._own_fees[rules.symbol] = Decimal(str(maker)), Decimal(str(taker))
        maker_fee, taker_fee = self._own_fees[rules.symbol]
        return replace(rules, maker_fee=maker_fee, taker_fee=taker_fee)
