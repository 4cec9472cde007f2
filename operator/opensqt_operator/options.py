"""What the operator is told on its command line."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Durations in seconds."""

    namespaces: tuple[str, ...]
    """The namespaces to watch; none means all."""
    image: str
    """Image of bots and connectors, where their spec names none."""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    health_port: int = 8080
    metrics_port: int = 9090
    listen: str = "0.0.0.0"  # noqa: S104 - a Pod's only address
    resync: float = 300.0
    workers: int = 16
    status_interval: float = 1.0
    status_writes_per_second: float = 20.0
    requests_per_second: float = 100.0
    max_concurrent_rolls: int = 1
    """How many bots may be restarted at once by an upgrade of the operator."""
    kubeconfig: Path | None = None
