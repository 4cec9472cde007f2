"""A proxy before the API server that counts writes, injects faults, and tampers with watches."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_HOP_BY_HOP = {"transfer-encoding", "content-length", "content-encoding", "connection", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A request is answered with `status`, or cut off where that is 0; with `carried_out` it is served before."""

    status: int = 0
    carried_out: bool = False


class FaultProxy:
    """Plain HTTP on loopback; a context manager. `kubeconfig` points at it."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._config = json.loads(kubeconfig.read_text())
        self.kubeconfig = folder / "proxied-kubeconfig"
        self.writes: list[tuple[str, str, int]] = []
        """Method, path and answer of each write, oldest first."""
        self.fault: Callable[[str, str], Fault | None] = lambda method, path: None
        self.after_write: Callable[[int], Awaitable[None]] | None = None
        """Called with the number of writes, after the API server has answered and before the operator learns of it."""
        self.keep_event: Callable[[dict[str, Any]], bool] = lambda event: True
        self.silent_watches = False
        """Watches stay open and tell nothing, not even bookmarks."""

    async def __aenter__(self) -> Self:
        cluster = self._config["clusters"][0]["cluster"]
        self._upstream = cluster["server"]
        trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers={"Accept-Encoding"},
        )
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self._config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        self.kubeconfig.write_text(json.dumps(self._config))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        fault = self.fault(request.method, request.path)
        if fault is not None and not fault.carried_out:
            return self._fail(request, fault)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "accept-encoding"}
        }
        body = await request.read()
        upstream = await self._http.request(
            request.method, self._upstream + request.path_qs, data=body or None, headers=headers
        )
        async with upstream:
            if request.query.get("watch") == "true":
                return await self._watch(request, upstream)
            answer = await upstream.read()
        if request.method in _WRITES:
            self.writes.append((request.method, request.path, upstream.status))
            if self.after_write is not None:
                await self.after_write(len(self.writes))
        if fault is not None:
            return self._fail(request, fault)
        kept = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP_BY_HOP}
        return web.Response(status=upstream.status, body=answer, headers=kept)

    async def _watch(self, request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while line := await upstream.content.readline():
                if not self.silent_watches and self.keep_event(json.loads(line)):
                    await response.write(line)
        return response

    @staticmethod
    def _fail(request: web.Request, fault: Fault) -> web.Response:
        if not fault.status:
            # Cut off: the client sees a closed connection.
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": fault.status,
            "message": "injected",
        }
        return web.json_response(status, status=fault.status)


def counted(events: list[dict[str, Any]], namespace: str, agent: str) -> dict[tuple[str, str, str], int]:
    """How often each object was created and deleted by others than `agent`: (create or delete, resource, name)."""
    counts: dict[tuple[str, str, str], int] = {}
    for event in events:
        reference = event.get("objectRef", {})
        if (
            reference.get("namespace") != namespace
            or event.get("userAgent") == agent
            or event["stage"] != "ResponseComplete"
        ):
            continue
        code, verb = event.get("responseStatus", {}).get("code"), event["verb"]
        resource = reference["resource"]
        if resource == "events" or "subresource" in reference:
            continue
        done = "create" if code == 201 else "delete" if verb == "delete" and code in {200, 202} else ""
        if done:
            key = (done, resource, reference.get("name") or event["responseObject"]["metadata"]["name"])
            counts[key] = counts.get(key, 0) + 1
    return counts


def writes_of(events: list[dict[str, Any]], namespace: str, agent: str) -> list[str]:
    """All writes by others than `agent`, as text."""
    return [
        f"{event['verb']} {event['requestURI']} {event.get('responseStatus', {}).get('code')}"
        for event in events
        if event.get("objectRef", {}).get("namespace") == namespace
        and event.get("userAgent") != agent
        and event["stage"] == "ResponseComplete"
        and event["verb"] in {"create", "update", "patch", "delete", "deletecollection"}
    ]
