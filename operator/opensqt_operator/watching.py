"""Kopf, told to do nothing but watch: no peering, no scanning, no finalizers or annotations, no giving up."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kopf

from opensqt_operator.handlers import Handlers
from opensqt_operator.names import CHILDREN, FIELD_MANAGER, SELECTOR

_SERVER_TIME_OUT, _CLIENT_TIME_OUT, _INACTIVITY = 270, 300, 90
_CHUNK = 500


class _Backoffs:
    """Endless and jittered: a list that fails for long enough would otherwise end the operator."""

    def __iter__(self) -> Iterator[float]:
        ceiling = 0.5
        while True:
            yield ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            ceiling = min(ceiling * 2, 30.0)


def settings() -> kopf.OperatorSettings:
    made = kopf.OperatorSettings()
    made.peering.standalone = True
    made.scanning.disabled = True
    made.posting.enabled = False
    made.networking.error_backoffs = _Backoffs()
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 10
    made.watching.server_timeout = _SERVER_TIME_OUT
    made.watching.client_timeout = _CLIENT_TIME_OUT
    made.watching.inactivity_timeout = _INACTIVITY
    made.watching.chunk_size = _CHUNK
    made.persistence.finalizer = f"{FIELD_MANAGER}.opensqt.io/unused"
    made.process.ultimate_exiting_timeout = 20
    for kind in CHILDREN:
        made.watching.label_selectors[_selector(kind.api_version, kind.plural)] = SELECTOR
    return made


def _selector(api_version: str, plural: str) -> tuple[str, str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version, plural


async def watch(
    handlers: Handlers,
    *,
    namespaces: tuple[str, ...],
    kubeconfig: Path | None,
    ready: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Run Kopf until `stop` is set.

    Raises:
        Exception: a watch ended for good; the process has to be started again.
    """
    registry = kopf.OperatorRegistry()
    handlers.register(registry)
    # Kopf would otherwise try every Kubernetes client that it finds, and any context that they find.
    login = kopf.login_with_kubeconfig if kubeconfig else kopf.login_with_service_account

    def log_in(**arguments: Any) -> kopf.ConnectionInfo | None:
        return login(**arguments)

    kopf.on.login(registry=registry)(log_in)
    await kopf.operator(
        registry=registry,
        settings=settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        ready_flag=ready,
        stop_flag=stop,
    )
