"""Fixtures of the operator's tests."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.cluster.envtest import Envtest
from tests.operator.operator_process import ROOT
from tests.operator.world import World, make_world


def install_crds(envtest: Envtest) -> None:
    envtest.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    envtest.serve("gridbots", "exchangeconnectors")


@pytest.fixture(scope="session")
def api_server(envtest: Envtest) -> Envtest:
    """The worker's API server, with our CRDs."""
    install_crds(envtest)
    return envtest


@pytest_asyncio.fixture
async def world(api_server: Envtest) -> AsyncIterator[World]:
    made = await make_world(api_server)
    try:
        yield made
    finally:
        await made.cluster.stop()
        await made.kube.aclose()


@pytest_asyncio.fixture
async def audited_world(fresh_envtest: Envtest) -> AsyncIterator[World]:
    """A world on an API server of its own, which records every request."""
    await asyncio.to_thread(install_crds, fresh_envtest)
    made = await make_world(fresh_envtest)
    try:
        yield made
    finally:
        await made.cluster.stop()
        await made.kube.aclose()
