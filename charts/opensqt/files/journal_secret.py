"""Makes the Secret of the trial PostgreSQL where there is none, and gives its DSN to the bots' namespaces.

Another owner's Secret of that name is left alone; a copy of ours that is out of date is brought up to date.
"""

import base64
import json
import os
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path

NAME = "opensqt-journal"
LABELS = {"app.kubernetes.io/part-of": "opensqt", "opensqt.io/trial": "true"}
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"


def call(method: str, path: str, body: dict | None = None) -> dict | None:
    """The answer, or None for 404 and 409."""
    request = urllib.request.Request(SERVER + path, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Authorization", "Bearer " + (ACCOUNT / "token").read_text())
    request.add_header("Content-Type", "application/json")
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    try:
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (404, 409):
            return None
        raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from None


def decoded(secret: dict) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}


def ensure(namespace: str, wanted: dict[str, str]) -> dict[str, str]:
    """The data of the Secret in `namespace` after making sure that there is one."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "labels": LABELS}, "stringData": wanted}
    made = call("POST", path, secret)
    if made is None:
        made = call("GET", f"{path}/{NAME}")
        if made is None:
            raise SystemExit(f"namespace {namespace} does not exist")
        ours = (made["metadata"].get("labels") or {}).get("opensqt.io/trial") == "true"
        if ours and namespace != home and decoded(made) != wanted:
            made = call("PUT", f"{path}/{NAME}", secret) or made
            print(f"updated the copy in {namespace}")
        else:
            print(f"left the one in {namespace} as it is")
    else:
        print(f"made the one in {namespace}")
    return decoded(made)


home = os.environ["RELEASE_NAMESPACE"]
password = secrets.token_urlsafe(24)
dsn = f"postgresql://opensqt:{password}@{os.environ['DATABASE_HOST']}:5432/opensqt"
kept = ensure(home, {"dsn": dsn, "password": password})
for namespace in os.environ["NAMESPACES"].split():
    if namespace != home:
        ensure(namespace, {"dsn": kept["dsn"]})
