"""All that a decision about an ExchangeConnector is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from opensqt.api.connector import ExchangeConnector, ExchangeConnectorStatus
from opensqt_operator.connector.resources import CONTAINER
from opensqt_operator.connectors import ConnectorReport
from opensqt_operator.lines import Contact
from opensqt_operator.names import DEPLOYMENTS, Kind, Object
from opensqt_operator.owned import Owned
from opensqt_operator.pod_state import PodState, Stage, pod_state
from opensqt_operator.validation import InvalidSpecError, parse_status, parsed

GRACE = 10.0
START_GRACE = 45.0
"""As for bots: how long silence is believed to mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Observation(Owned):
    """A connector, its children, the bots that refer to it and what it says, at one moment."""

    live: Mapping[Kind, Object | None]
    """What there is under the names of its children."""
    pods: tuple[Object, ...]
    bots: tuple[str, ...]
    contact: Contact[ConnectorReport]

    @cached_property
    def parsed(self) -> ExchangeConnector | InvalidSpecError:
        return parsed(ExchangeConnector, self.raw)

    @cached_property
    def previous(self) -> ExchangeConnectorStatus:
        return parse_status(ExchangeConnectorStatus, self.raw)

    @cached_property
    def pod(self) -> PodState | None:
        """Its newest Pod that is not on its way out, or else its newest."""
        states = [pod_state(pod, CONTAINER) for pod in self.pods]
        lasting = [state for state in states if state.stage is not Stage.TERMINATING]
        return max(lasting or states, key=lambda state: state.created, default=None)

    @property
    def rolling_out(self) -> bool:
        """The Deployment has yet to put a Pod of its present template in the place of an earlier one."""
        deployment = self.live.get(DEPLOYMENTS)
        if deployment is None:
            return False
        said = deployment.get("status", {})
        generation = deployment["metadata"].get("generation", 0)
        return bool(said.get("observedGeneration", 0) < generation or said.get("updatedReplicas", 0) < 1)

    @property
    def report(self) -> ConnectorReport | None:
        return self.contact.report if self.contact.up else None

    @property
    def unreachable(self) -> bool:
        pod = self.pod
        if pod is None or pod.stage is not Stage.RUNNING or self.contact.up:
            return False
        young = pod.started is not None and (self.now - pod.started).total_seconds() < START_GRACE
        return self.contact.silent_for > GRACE and not (young and self.contact.report is None)
