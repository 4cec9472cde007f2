"""A plain client of the API server for tests: JSON in, JSON out, nothing of the operator's."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2

Object = dict[str, Any]

PLURALS = {
    "GridBot": "apis/opensqt.io/v1alpha1/{ns}gridbots",
    "ExchangeConnector": "apis/opensqt.io/v1alpha1/{ns}exchangeconnectors",
    "Pod": "api/v1/{ns}pods",
    "Service": "api/v1/{ns}services",
    "ServiceAccount": "api/v1/{ns}serviceaccounts",
    "Event": "api/v1/{ns}events",
    "Deployment": "apis/apps/v1/{ns}deployments",
    "CustomResourceDefinition": "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Namespace": "api/v1/namespaces",
}
USER_AGENT = "opensqt-tests"
_TOO_MANY = 429


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class KubeClient:
    """Requests in one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.namespace = namespace
        self._http = httpx2.AsyncClient(
            base_url=cluster["server"],
            verify=ssl.create_default_context(cafile=cluster["certificate-authority"]),
            headers={"Authorization": f"Bearer {user['token']}", "User-Agent": USER_AGENT},
            timeout=120,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def list(self, kind: str) -> list[Object]:
        items: list[Object] = (await self._request("GET", self._path(kind)))["items"]
        return [{"kind": kind, **item} for item in items]

    async def get(self, kind: str, name: str) -> Object:
        return await self._request("GET", self._path(kind, name))

    async def find(self, kind: str, name: str) -> Object | None:
        try:
            return await self.get(kind, name)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def watch(self, kind: str) -> AsyncIterator[Object]:
        """The objects as they are now, and then as they come to be; not those that go."""
        async with self._http.stream("GET", self._path(kind), params={"watch": "true"}, timeout=None) as answer:
            async for line in answer.aiter_lines():
                told = json.loads(line)
                if told["type"] != "DELETED":
                    yield {"kind": kind, **told["object"]}

    async def create(self, obj: Object) -> Object:
        return await self._request("POST", self._path(obj["kind"]), obj)

    async def merge(self, kind: str, name: str, patch: Object, subresource: str = "") -> Object:
        return await self._request(
            "PATCH", self._path(kind, name, subresource), patch, content_type="application/merge-patch+json"
        )

    async def strategic(self, kind: str, name: str, patch: Object) -> Object:
        return await self._request(
            "PATCH", self._path(kind, name), patch, content_type="application/strategic-merge-patch+json"
        )

    async def bind(self, pod: str, node: str) -> None:
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod},
            "target": {"kind": "Node", "name": node},
        }
        await self._request("POST", self._path("Pod", pod, "binding"), binding)

    async def delete(
        self, kind: str, name: str, *, grace: int | None = None, propagation: str = "Background", uid: str = ""
    ) -> None:
        options: Object = {"propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        await self._request("DELETE", self._path(kind, name), options)

    def _path(self, kind: str, name: str = "", subresource: str = "") -> str:
        path = "/" + PLURALS[kind].format(ns=f"namespaces/{self.namespace}/")
        return "/".join(part for part in (path, name, subresource) if part)

    async def _request(
        self, method: str, path: str, body: Object | None = None, content_type: str = "application/json"
    ) -> Object:
        content = None if body is None else json.dumps(body)
        while True:
            response = await self._http.request(method, path, content=content, headers={"Content-Type": content_type})
            if response.status_code != _TOO_MANY:
                break
            # A new CRD's storage is being made.
            await asyncio.sleep(0.1)
        answer: Object = response.json()
        if response.status_code >= 400:
            raise ApiError(response.status_code, answer.get("message", response.text))
        return answer
