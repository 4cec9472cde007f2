"""What both resources share: metadata, references, conditions."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from opensqt.api.schema import Integer, Model, ObjectName, ResourceName, SecretKey


class ObjectMeta(Model):
    """The part of metadata that we read; the API server owns the rest, and the CRDs restrict the name alone."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    name: ResourceName
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    resource_version: str = ""


class ConnectorRef(Model):
    name: ResourceName = Field(description="Name of an ExchangeConnector in the same namespace.")


class SecretRef(Model):
    name: ObjectName = Field(description="Name of a Secret in the same namespace.")


class SecretKeyRef(Model):
    name: ObjectName = Field(description="Name of a Secret in the same namespace.")
    key: SecretKey = Field(default="dsn", description="Key within the Secret.")


class Journal(Model):
    """Where the journal is kept."""

    dsn_secret_ref: SecretKeyRef = Field(
        default=SecretKeyRef(name="opensqt-journal"),
        description="Secret with the DSN of a PostgreSQL database, postgresql://user:password@host:5432/name.",
    )


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """As metav1.Condition."""

    type: Annotated[str, StringConstraints(max_length=64)]
    status: ConditionStatus
    reason: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        description="CamelCase, for programs."
    )
    message: Annotated[str, StringConstraints(max_length=2048)] = Field(default="", description="For people.")
    last_transition_time: datetime = Field(description="When `status` last changed.")
    observed_generation: Integer = Field(default=0, ge=0, description="metadata.generation this was decided for.")


class Quantities(Model):
    """CPU and memory."""

    cpu: Annotated[str, StringConstraints(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?m?$")] | None = Field(
        default=None, description='For example "50m".'
    )
    memory: Annotated[str, StringConstraints(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|k|M|G)?$")] | None = (
        Field(default=None, description='For example "96Mi".')
    )


class Resources(Model):
    """Resources of the container."""

    requests: Quantities = Field(default=Quantities(cpu="20m", memory="80Mi"), description="What is reserved.")
    limits: Quantities = Field(default=Quantities(memory="192Mi"), description="What may be used at most.")
