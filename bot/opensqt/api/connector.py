"""ExchangeConnector: the door to one exchange account, real or on paper."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from opensqt.api.exchange import Exchange, MarketKind, Mode
from opensqt.api.meta import Condition, Journal, ObjectMeta, Resources, SecretRef
from opensqt.api.paper import Paper
from opensqt.api.schema import (
    Boolean,
    Column,
    Integer,
    Model,
    Rule,
    immutable,
    keyed_by,
)

CREDENTIAL_REASONS = frozenset({"WrongCredentials", "MissingPermission", "WithdrawalPermission", "AddressNotAllowed"})
"""Reasons of a connector that is not ready for which `CredentialsValid` is False."""


class DeadManSwitch(Model):
    """The exchange cancels the account's open orders when it has not heard of the connector for a while."""

    enabled: Boolean = Field(
        default=True, description="Where the exchange has one: docs/exchanges.md says which, and what it covers."
    )
    timeout_seconds: Integer = Field(
        default=60, ge=10, le=120, description="Silence after which the orders go; renewed three times as often."
    )


class ExchangeConnectorSpec(Model):
    """Which account, and how."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable("exchange", "create another connector"),
        immutable("mode", "the bots' journals speak of the other account; create another connector"),
        immutable("market", "create another connector"),
        Rule(
            "self.exchange != 'paper' || self.market == 'Perpetual'",
            "the paper exchange plays both: its markets' symbols say which",
            ".market",
        ),
        Rule(
            "(self.exchange == 'paper') == has(self.paper)",
            "paper must be set for exchange paper, and only there",
            ".paper",
        ),
        Rule(
            "self.exchange == 'paper' || has(self.credentialsSecretRef)",
            "credentialsSecretRef is required for a real exchange",
            ".credentialsSecretRef",
        ),
        Rule(
            "self.mode != 'Live' || (has(self.acknowledgeLiveTrading) && self.acknowledgeLiveTrading)",
            "mode Live trades real money: set acknowledgeLiveTrading to true",
            ".acknowledgeLiveTrading",
        ),
    )

    exchange: Exchange = Field(description="Which exchange; paper needs no account.")
    mode: Mode = Field(
        default=Mode.DEMO, description="Demo is the exchange's demo or test network; Live is real money."
    )
    market: MarketKind = Field(
        default=MarketKind.PERPETUAL,
        description="What is traded at a real exchange: linear perpetuals in USDT, or spot against USDT.",
    )
    acknowledge_live_trading: Boolean = Field(default=False, description="Must be true where mode is Live.")
    credentials_secret_ref: SecretRef | None = Field(
        default=None, description="Secret with the keys apiKey, apiSecret and, for Bitget and OKX, passphrase."
    )
    allow_withdrawal_permission: Boolean = Field(
        default=False,
        description="Whether a key that may withdraw is taken; a trading key should not have that permission.",
    )
    dead_man_switch: DeadManSwitch = Field(
        default=DeadManSwitch(), description="What happens to open orders when the connector is gone."
    )
    paper: Paper | None = Field(default=None, description="Settings of the paper exchange.")
    journal: Journal = Field(default=Journal(), description="Where the paper exchange keeps its books.")
    resources: Resources = Field(default=Resources(), description="Resources of the connector's container.")
    image: str | None = Field(default=None, max_length=512, description="Another image than the operator's default.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.exchange is Exchange.PAPER) != (self.paper is not None):
            raise ValueError("paper must be set for exchange paper, and only there")
        if self.exchange is Exchange.PAPER and self.market is not MarketKind.PERPETUAL:
            raise ValueError("the paper exchange plays both: its markets' symbols say which", ".market")
        if self.exchange is not Exchange.PAPER and self.credentials_secret_ref is None:
            raise ValueError("credentialsSecretRef is required for a real exchange")
        if self.mode is Mode.LIVE and not self.acknowledge_live_trading:
            raise ValueError("mode Live trades real money: set acknowledgeLiveTrading to true")
        return self


class MarketStatus(Model):
    """How far a paper market has been played."""

    symbol: str = Field(max_length=40)
    progress: str = Field(default="", max_length=16, description='For example "42%".')
    ended: Boolean = False


class ExchangeConnectorStatus(Model):
    """What the operator and the connector last said."""

    observed_generation: Integer = Field(default=0, ge=0, description="metadata.generation this status speaks of.")
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        json_schema_extra=keyed_by("type"),
        description="Ready, Progressing, Degraded, CredentialsValid.",
    )
    address: str = Field(default="", max_length=253, description="Where bots find it.")
    bots: Integer = Field(default=0, ge=0, description="GridBots that refer to it.")
    markets: list[MarketStatus] = Field(default_factory=list, max_length=64, json_schema_extra=keyed_by("symbol"))
    weaknesses: list[str] = Field(
        default_factory=list, max_length=16, description="What this exchange lacks of the guarantees."
    )


class ExchangeConnector(Model):
    """The door to one exchange account."""

    kind_name: ClassVar[str] = "ExchangeConnector"
    plural: ClassVar[str] = "exchangeconnectors"
    short_names: ClassVar[tuple[str, ...]] = ("xc",)
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Exchange", ".spec.exchange", "Which exchange"),
        Column("Mode", ".spec.mode", "Demo or Live"),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether bots can trade through it"),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why it is or is not ready"),
        Column("Bots", ".status.bots", "GridBots that refer to it", type="integer"),
        Column("Age", ".metadata.creationTimestamp", "Age", type="date"),
    )

    api_version: Literal["opensqt.io/v1alpha1"] = "opensqt.io/v1alpha1"
    kind: Literal["ExchangeConnector"] = "ExchangeConnector"
    metadata: ObjectMeta
    spec: ExchangeConnectorSpec
    status: ExchangeConnectorStatus = Field(default_factory=ExchangeConnectorStatus)
