"""Addresses on loopback: each process has one of its own, and there the ports that it would have in its Pod."""

import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from opensqt.api.process import Ports

_SHIFTS = range(0, 10_000, 1_000)


class NoPortError(Exception):
    """Other programs have all the ports that were tried."""


def hosts(owner: Path) -> Iterator[str]:
    """Addresses from 127.0.0.0/8, other ones for another `owner`, so that several can run beside each other."""
    first, second, *_ = hashlib.sha256(bytes(owner)).digest()
    for number in range(256 * 250):
        yield f"127.{1 + first % 254}.{(second + number // 250) % 256}.{1 + number % 250}"


def free_ports(host: str, wanted: Ports) -> Ports:
    """The wanted ports; where a program listens there on all addresses, the next thousand's. Raises NoPortError."""
    for shift in _SHIFTS:
        ports = Ports(wanted.grpc + shift, wanted.health + shift, wanted.metrics + shift)
        if all(_free(host, port) for port in (ports.grpc, ports.health, ports.metrics)):
            return ports
    raise NoPortError(f"no free ports at {host}: tried {wanted.grpc} and every thousandth after it")


def _free(host: str, port: int) -> bool:
    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket())
        # As gRPC does: connections of an earlier process that fade out are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True
