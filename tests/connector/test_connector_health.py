"""What a connector tells of its health, and of its services."""

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client import REGISTRY

from opensqt.connector import process
from opensqt.connector.process import EXCHANGE_SERVICE, LIVENESS
from opensqt.connector.venue import VenueHealth
from tests.connector.eventually import eventually
from tests.connector.scripted_venue import READY, ScriptedVenue
from tests.connector.served import NOT_READY, ports, venue

__all__ = ["ports", "venue"]


async def test_health_follows_the_venue_and_liveness_does_not(ports: tuple[int, int], venue: ScriptedVenue) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)

        async def said(service: str) -> int:
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            return int(answer.status)

        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        assert [await said(service) for service in ("", EXCHANGE_SERVICE, LIVENESS)] == [serving] * 3
        stream = health.Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await stream.read()).status == serving
        venue.become(NOT_READY)
        assert (await stream.read()).status == not_serving
        assert [await said(service) for service in ("", EXCHANGE_SERVICE, LIVENESS)] == [
            not_serving,
            not_serving,
            serving,
        ]
        venue.become(VenueHealth(True, "Ready", ""))
        assert (await stream.read()).status == serving


@pytest.fixture
def never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health is not asked for by the clock: what is told is told because it changed."""
    monkeypatch.setattr(process, "HEALTH_SECONDS", 3600.0)


@pytest.mark.usefixtures("never_asked")
async def test_a_change_of_health_while_the_last_one_is_being_told_is_told_as_well(
    ports: tuple[int, int], venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, told = health_aio.HealthServicer.set, asyncio.Event()
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

    async def tell_meanwhile(servicer: health_aio.HealthServicer, service: str, status: int) -> None:
        if status == not_serving:
            venue.become(READY)
        await tell(servicer, service, status)
        if (service, status) == (EXCHANGE_SERVICE, serving):
            told.set()

    monkeypatch.setattr(health_aio.HealthServicer, "set", tell_meanwhile)
    venue.become(NOT_READY)
    async with asyncio.timeout(120), grpc.aio.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        await told.wait()
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest(service=""))).status == serving


async def test_the_clock_skew_is_followed_while_nothing_else_changes(
    ports: tuple[int, int], venue: ScriptedVenue
) -> None:
    venue.become(replace(READY, clock_skew_us=1_500_000))
    await eventually(lambda: REGISTRY.get_sample_value("opensqt_connector_clock_skew_seconds") == 1.5)


async def test_reflection_lists_the_services(ports: tuple[int, int]) -> None:
    def services() -> list[str]:
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    assert {EXCHANGE_SERVICE, "grpc.health.v1.Health"} <= set(await asyncio.to_thread(services))
