"""The API server through lightkube: server-side apply, deletes with a UID precondition, a budget of requests.

RequestError
├── StaleError      somebody was faster (409): look again, then decide anew
├── RefusedError    it will not be taken as it is (400, 401, 403, 422): a person must act
└── TryLaterError   overloaded, broken or unreachable (429, 5xx, time-outs): the same again after `after` seconds
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx2
from lightkube import AsyncClient
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.core.generic_client import ALL_NS
from lightkube.core.resource import ApiInfo, NamespacedResourceG, ResourceDef
from lightkube.generic_resource import Generic
from lightkube.types import PatchType

from opensqt_operator import metrics
from opensqt_operator.names import CHILDREN, EVENTS, FIELD_MANAGER, OWNED, Kind, Object

Objects = list[Object]
_CHUNK = 500
_VERBS = ["get", "list", "global_list", "patch", "post", "delete"]
_CONFLICT, _NOT_FOUND, _TOO_MANY = 409, 404, 429


class RequestError(Exception):
    """A request that did not succeed."""


class StaleError(RequestError):
    """Somebody was faster: look again, then decide anew."""


class RefusedError(RequestError):
    """The API server will not take this as it is; its message says why, and a person must act."""


class TryLaterError(RequestError):
    """Nobody knows whether it was carried out, or it was not: the same may be sent again after `after` seconds."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


def _resource(kind: Kind, action: str | None = None) -> type[NamespacedResourceG]:
    group, _, version = kind.api_version.rpartition("/")
    definition = ResourceDef(group, version, kind.kind)
    info = ApiInfo(definition, kind.plural, _VERBS, parent=definition if action else None, action=action)
    return cast("type[NamespacedResourceG]", type(kind.kind, (NamespacedResourceG, Generic), {"_api_info": info}))


_RESOURCES = {kind: _resource(kind) for kind in (*OWNED, *CHILDREN, EVENTS)}
_STATUSES = {kind: _resource(kind, "status") for kind in OWNED}


def load_config(kubeconfig: Path | None) -> KubeConfig:
    """The file's current context, or else the service account of the Pod we run in: never a context found by chance."""
    return KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_service_account()


class ApiClient:
    """Requests to the API server; each waits for its turn in the budget."""

    def __init__(self, config: KubeConfig, *, requests_per_second: float, time_out: float = 15.0) -> None:
        self._client = AsyncClient(
            config, field_manager=FIELD_MANAGER, timeout=httpx2.Timeout(time_out), lazy=False, trust_env=False
        )
        self._interval = 1.0 / requests_per_second
        self._next = 0.0

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as it is now; None where there is none."""
        found = await self._send("get", kind, self._client.get(_RESOURCES[kind], name, namespace=namespace), True)
        return None if found is None else dict(found)

    async def list(self, kind: Kind, namespace: str | None, labels: str | None = None) -> tuple[Objects, int]:
        """All objects of a namespace, or of all where it is None, and the resource version of the list.

        `labels` is one `key=value`.
        """
        selector = dict([labels.split("=")]) if labels else None
        listing = self._client.list(
            _RESOURCES[kind], namespace=namespace or ALL_NS, chunk_size=_CHUNK, labels=cast("Any", selector)
        )

        async def collect() -> Objects:
            return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} async for item in cast("Any", listing)]

        items = await self._send("list", kind, collect())
        return items, int(listing.resourceVersion)

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        """Server-side apply: what the manifest sets becomes ours, with `force` whoever set it before."""
        return await self._apply("apply", kind, _RESOURCES[kind], manifest, force)

    async def apply_status(self, kind: Kind, manifest: Object) -> Object:
        """Apply the status; the manifest's metadata.uid keeps it from a namesake."""
        return await self._apply("apply_status", kind, _STATUSES[kind], manifest, True)

    async def set_finalizers(self, kind: Kind, obj: Object, finalizers: Sequence[str]) -> Object | None:
        """Replace the finalizers of exactly this version of the object; None where it is gone."""
        metadata = obj["metadata"]
        patch = {
            "metadata": {
                "finalizers": list(finalizers),
                "resourceVersion": metadata["resourceVersion"],
                "uid": metadata["uid"],
            }
        }
        request = self._client.patch(
            _RESOURCES[kind], metadata["name"], patch, namespace=metadata["namespace"], patch_type=PatchType.MERGE
        )
        patched = await self._send("patch", kind, request, True)
        return None if patched is None else dict(patched)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object of exactly this uid; it being gone is success, another in its place is `StaleError`."""
        # lightkube's own delete takes no preconditions.
        generic: Any = self._client._client  # noqa: SLF001
        request = generic.prepare_request("delete", res=_RESOURCES[kind], name=name, namespace=namespace)
        request.data = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}

        async def send() -> None:
            generic.raise_for_status(await generic.send(generic.build_adapter_request(request)))

        await self._send("delete", kind, send(), True)

    async def create(self, kind: Kind, manifest: Object) -> bool:
        """Create it; False where it is there already."""
        resource: Any = _RESOURCES[kind]
        client: Any = self._client
        request = client.create(resource(manifest), namespace=manifest["metadata"]["namespace"])
        try:
            await self._send("create", kind, request)
        except StaleError:
            return False
        return True

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]) -> Object | None:
        """Merge-patch it, and have it as it is then; None where it is gone."""
        request = self._client.patch(
            _RESOURCES[kind], name, dict(patch), namespace=namespace, patch_type=PatchType.MERGE
        )
        patched = await self._send("patch", kind, request, True)
        return None if patched is None else dict(patched)

    async def _apply(
        self, verb: str, kind: Kind, resource: type[NamespacedResourceG], manifest: Object, force: bool
    ) -> Object:
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        request = self._client.patch(
            resource, name, manifest, namespace=namespace, patch_type=PatchType.APPLY, force=force
        )
        return dict(await self._send(verb, kind, request))

    async def _send(self, verb: str, kind: Kind, request: Awaitable[Any], may_be_absent: bool = False) -> Any:
        now = time.monotonic()
        self._next = max(now, self._next) + self._interval
        if self._next - self._interval > now:
            await asyncio.sleep(self._next - self._interval - now)
        code = "200"
        try:
            answer = await request
        except ApiError as error:
            code = str(error.status.code)
            if error.status.code == _NOT_FOUND and may_be_absent:
                return None
            raise _typed(error) from error
        except httpx2.HTTPError as error:
            # Time-outs, refused connections, and answers that are not from an API server.
            code = type(error).__name__
            raise TryLaterError(f"{type(error).__name__}: {error}") from error
        else:
            return answer
        finally:
            metrics.API_REQUESTS.labels(verb, kind.kind, code).inc()

    async def aclose(self) -> None:
        await self._client.close()


def _typed(error: ApiError) -> RequestError:
    code, message = error.status.code or 0, error.status.message or str(error)
    if code in {_CONFLICT, _NOT_FOUND, 410}:
        return StaleError(message)
    if code == _TOO_MANY or code >= 500:
        details = error.status.details
        return TryLaterError(message, float((details and details.retryAfterSeconds) or 0))
    return RefusedError(message)
