"""The paper exchange: its markets, where their prices come from, its fees and its faults."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from opensqt.api.exchange import Exchange
from opensqt.api.schema import (
    Integer,
    Model,
    ObjectName,
    PositiveDecimal,
    Rule,
    SecretKey,
    SignedDecimal,
    Symbol,
    UnsignedDecimal,
    keyed_by,
)


class ConfigMapKeyRef(Model):
    name: ObjectName = Field(description="Name of a ConfigMap in the same namespace.")
    key: SecretKey = Field(description="Key within the ConfigMap; its value may be CSV or gzipped CSV (binaryData).")


class CandleVolume(Model):
    claim_name: ObjectName = Field(description="Name of a PersistentVolumeClaim in the same namespace.")
    path: Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^/].*$")] = Field(
        description="File within the volume."
    )


class Candles(Model):
    """Recorded one-minute candles from exactly one source: CSV with the columns timestamp, open, high, low, close and
    volume, plain or gzipped."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.configMapRef), has(self.volume), has(self.url), has(self.path)].filter(x, x).size() == 1",
            "set exactly one of configMapRef, volume, url and path",
        ),
    )

    config_map_ref: ConfigMapKeyRef | None = Field(default=None, description="A key of a ConfigMap.")
    volume: CandleVolume | None = Field(default=None, description="A file on a volume.")
    url: Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://.+$")] | None = Field(
        default=None, description="An address to download from."
    )
    path: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="A file in the connector's own file system, for `opensqt run`."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(source is not None for source in (self.config_map_ref, self.volume, self.url, self.path)) != 1:
            raise ValueError("set exactly one of configMapRef, volume, url and path")
        return self


class MarketModel(Model):
    """A seeded random market with regimes, clustered volatility and jumps; docs/paper.md describes it."""

    seed: Integer = Field(default=1, ge=0, le=2**31 - 1, description="The same seed makes the same market.")
    start_price: PositiveDecimal = Field(
        default="40000", validate_default=True, description="First price, in quote currency."
    )
    annual_volatility: PositiveDecimal = Field(
        default="0.7", validate_default=True, description="Long-run volatility of a year, as a fraction."
    )
    days: Integer = Field(default=30, ge=1, le=3650, description="Length of the market.")


class LivePrices(Model):
    """Prices of a real exchange's public streams, as they come; no account is needed."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("self.exchange != 'paper'", "take the prices of a real exchange", ".exchange"),
    )

    exchange: Exchange = Field(description="Whose market of the same symbol.")

    @model_validator(mode="after")
    def _real(self) -> Self:
        if self.exchange is Exchange.PAPER:
            raise ValueError("take the prices of a real exchange")
        return self


class PaperMarket(Model):
    """One market of the paper exchange."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.candles), has(self.model), has(self.livePrices)].filter(x, x).size() <= 1",
            "set at most one of candles, model and livePrices",
        ),
        Rule(
            "self.symbol.contains(':') || !has(self.fundingRate) || double(self.fundingRate) == 0.0",
            "spot has no funding",
            ".fundingRate",
        ),
        Rule("!has(self.fillShare) || double(self.fillShare) <= 1.0", "fillShare must be at most 1", ".fillShare"),
        Rule(
            "!has(self.fillShare) || !has(self.livePrices)",
            "live prices come without the volumes that fillShare needs",
            ".fillShare",
        ),
    )

    symbol: Symbol = Field(description="Market in ccxt's unified form.")
    tick_size: PositiveDecimal = Field(default="0.1", validate_default=True, description="Smallest step of the price.")
    lot_size: PositiveDecimal = Field(
        default="0.001", validate_default=True, description="Smallest step of the quantity."
    )
    min_notional: UnsignedDecimal = Field(
        default="5",
        validate_default=True,
        description="Smallest value of an order that is not reduce-only, in quote currency.",
    )
    funding_rate: SignedDecimal = Field(
        default="0",
        validate_default=True,
        description=(
            "Funding in percent of the position's value, paid by longs to shorts every eight hours (00, 08, 16 UTC); "
            'negative the other way round. The exchanges\' usual rate is "0.01".'
        ),
    )
    fill_share: PositiveDecimal | None = Field(
        default=None,
        description=(
            "Of the volume of each price (a quarter of its candle's) orders fill this share at most, as a fraction up "
            "to 1: larger ones fill in parts, over time. Without it every order fills whole."
        ),
    )
    candles: Candles | None = Field(default=None, description="Recorded market.")
    model: MarketModel | None = Field(
        default=None, description="Seeded market; the default where neither candles nor livePrices are given."
    )
    live_prices: LivePrices | None = Field(default=None, description="A real exchange's prices, at their own speed.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.candles, self.model, self.live_prices)) > 1:
            raise ValueError("set at most one of candles, model and livePrices")
        return self

    @model_validator(mode="after")
    def _spot_has_no_funding(self) -> Self:
        if ":" not in self.symbol and self.funding_rate:
            raise ValueError("spot has no funding", ".fundingRate")
        return self

    @model_validator(mode="after")
    def _a_share_of_known_volumes(self) -> Self:
        if self.fill_share is not None and self.fill_share > 1:
            raise ValueError("fillShare must be at most 1")
        if self.fill_share is not None and self.live_prices is not None:
            raise ValueError("live prices come without the volumes that fillShare needs")
        return self


class PaperFees(Model):
    maker: UnsignedDecimal = Field(
        default="0.0002", validate_default=True, description="As a fraction of the notional."
    )
    taker: UnsignedDecimal = Field(
        default="0.0005", validate_default=True, description="As a fraction of the notional."
    )


class Fault(StrEnum):
    """What can go wrong at an exchange; docs/paper.md says what each does."""

    TIME_OUT_AFTER_ACCEPTANCE = "TimeOutAfterAcceptance"
    REJECTION_AFTER_ACCEPTANCE = "RejectionAfterAcceptance"
    RATE_LIMITED = "RateLimited"
    SERVER_ERROR = "ServerError"
    PARTIAL_BATCH_FAILURE = "PartialBatchFailure"
    DISCONNECT_MID_BATCH = "DisconnectMidBatch"
    SLOW_CALL = "SlowCall"
    DUPLICATE_MESSAGE = "DuplicateMessage"
    REORDERED_MESSAGE = "ReorderedMessage"
    DELAYED_MESSAGE = "DelayedMessage"
    DROPPED_MESSAGE = "DroppedMessage"


MESSAGE_FAULTS = frozenset(
    {Fault.DUPLICATE_MESSAGE, Fault.REORDERED_MESSAGE, Fault.DELAYED_MESSAGE, Fault.DROPPED_MESSAGE}
)
CALL_FAULTS = frozenset(Fault) - MESSAGE_FAULTS


class Call(StrEnum):
    """The calls that faults befall."""

    PLACE = "Place"
    CANCEL = "Cancel"
    LOOK_UP = "LookUp"


class PaperFault(Model):
    """One fault, and when it strikes."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("has(self.nth) != has(self.probability)", "set exactly one of nth and probability"),
        Rule(
            "!has(self.probability) || double(self.probability) <= 1.0", "probability must be at most 1", ".probability"
        ),
    )

    fault: Fault = Field(description="What goes wrong.")
    call: Call = Field(default=Call.PLACE, description="Which calls it befalls, unless it befalls messages.")
    nth: Integer | None = Field(
        default=None, ge=1, le=2**31 - 1, description="The call or message of its kind that it befalls, from 1."
    )
    probability: PositiveDecimal | None = Field(
        default=None, description="How likely it befalls each call or message of its kind, from 0 to 1."
    )

    @model_validator(mode="after")
    def _nth_or_probability(self) -> Self:
        if (self.nth is None) == (self.probability is None):
            raise ValueError("set exactly one of nth and probability")
        if self.probability is not None and self.probability > 1:
            raise ValueError("probability must be at most 1")
        return self


class PaperFaults(Model):
    """Faults of the paper exchange, to try bots with."""

    seed: Integer = Field(default=1, ge=0, le=2**31 - 1, description="The same seed draws the same chances.")
    inject: list[PaperFault] = Field(min_length=1, max_length=64, description="Where several strike, the first does.")


class Paper(Model):
    """The paper exchange: a matching engine over recorded, modelled or live markets, its books survive its death."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.markets.all(market, has(market.livePrices)) || !self.markets.exists(market, has(market.livePrices))",
            "livePrices: all markets have them, or none: they have one time",
            ".markets",
        ),
    )

    balance: PositiveDecimal = Field(
        default="10000", validate_default=True, description="Starting balance in quote currency."
    )
    fees: PaperFees = Field(default=PaperFees(), description="What fills cost.")
    speed: Integer = Field(default=60, ge=1, le=100_000, description="Market seconds played in one second.")
    latency_milliseconds: Integer = Field(default=0, ge=0, le=10_000, description="Added to every call, in real time.")
    faults: PaperFaults | None = Field(default=None, description="What goes wrong, to try bots with.")
    markets: list[PaperMarket] = Field(
        min_length=1,
        max_length=64,
        json_schema_extra=keyed_by("symbol"),
        description="The markets it plays; a bot can trade no other.",
    )

    @model_validator(mode="after")
    def _one_market_a_symbol(self) -> Self:
        symbols = [market.symbol for market in self.markets]
        if twice := {symbol for symbol in symbols if symbols.count(symbol) > 1}:
            raise ValueError(f"markets: {', '.join(sorted(twice))} is there twice")
        if len({market.live_prices is None for market in self.markets}) > 1:
            raise ValueError("livePrices: all markets have them, or none: they have one time")
        return self
