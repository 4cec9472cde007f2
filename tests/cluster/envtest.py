"""An envtest: etcd and kube-apiserver as plain processes on loopback ports of their own, Ready in about 3 s.

There are no controllers: nothing schedules Pods or collects garbage, no namespace gets a default ServiceAccount.
"""

import json
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster import binaries
from tests.cluster.kubectl import Kubectl

_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata, verbs: [get, list, watch]}, {level: RequestResponse}]
"""
_ATTEMPTS = 3
_READY_WITHIN = 180.0


class EnvtestError(Exception):
    """etcd or kube-apiserver does not start; the message ends with its log."""


class Envtest:
    """A running API server. A context manager; `stop` kills both processes and removes their files."""

    def __init__(self, *, audit: bool = False) -> None:
        """With `audit`, every request and its answer is recorded; see `audited`."""
        self.folder = Path(tempfile.mkdtemp(prefix="opensqt-envtest-"))
        self.kubeconfig = self.folder / "kubeconfig"
        self.url = ""
        self._token = secrets.token_urlsafe(24)
        self._audit = audit
        self._audited: list[dict[str, object]] = []
        self._audited_bytes = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start both and wait until the API server is ready.

        Raises:
            EnvtestError: it did not become ready.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start()
            except EnvtestError:
                self._kill()
                # Between choosing a free port and taking it, somebody else may have taken it.
                if attempt == _ATTEMPTS:
                    shutil.rmtree(self.folder, ignore_errors=True)
                    raise
            else:
                return

    def stop(self) -> None:
        """Kill both and remove their files."""
        self._kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def kubectl(self) -> Kubectl:
        """kubectl against this API server."""
        return Kubectl(self.kubeconfig)

    def serve(self, *plurals: str) -> None:
        """Waits until our resources are served. (`kubectl wait` fails on one that has no conditions yet.)"""
        deadline = time.monotonic() + _READY_WITHIN
        names = [f"crd/{plural}.opensqt.io" for plural in plurals]
        while self.kubectl("wait", "--for=condition=Established", "--timeout=5s", *names, check=False).returncode:
            if time.monotonic() > deadline:
                raise EnvtestError(f"{', '.join(names)} did not become established:\n" + self._logs())

    def audited(self) -> list[dict[str, object]]:
        """The audit events so far, oldest first (audit.k8s.io/v1 `Event`); bodies of writes alone."""
        with (self.folder / "audit.log").open("rb") as log:
            log.seek(self._audited_bytes)
            while (line := log.readline()).endswith(b"\n"):
                self._audited.append(json.loads(line))
                self._audited_bytes += len(line)
        return list(self._audited)

    def _start(self) -> None:
        etcd_port, peer_port, port = _free_ports(3)
        self.url = f"https://127.0.0.1:{port}"
        etcd = f"http://127.0.0.1:{etcd_port}"
        data = self.folder / "etcd"
        shutil.rmtree(data, ignore_errors=True)
        self._spawn(
            "etcd", "--data-dir", str(data), "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
            "--listen-peer-urls", f"http://127.0.0.1:{peer_port}", "--unsafe-no-fsync", "--log-level", "warn",
        )  # fmt: skip
        certificates = self.folder / "pki"
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{self._token},admin,admin,"system:masters"\n')
        self._spawn(
            "kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", str(port),
            "--cert-dir", str(certificates), "--token-auth-file", str(tokens), "--authorization-mode", "RBAC",
            # The serving key, which it makes itself, signs the tokens of service accounts too.
            "--service-account-issuer", "https://kubernetes.default.svc",
            "--service-account-signing-key-file", str(certificates / "apiserver.key"),
            "--service-account-key-file", str(certificates / "apiserver.key"),
            "--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount",
            "--allow-privileged=true", *self._audit_flags(),
        )  # fmt: skip
        self._wait_ready(certificates / "apiserver.crt")
        self._write_kubeconfig(certificates / "apiserver.crt")

    def _audit_flags(self) -> list[str]:
        if not self._audit:
            return []
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(_AUDIT_POLICY)
        log = str(self.folder / "audit.log")
        whole = ("--audit-log-maxsize", "100000")  # megabytes: else it begins a new one at 100
        return ["--audit-policy-file", str(policy), "--audit-log-path", log, "--audit-log-mode", "blocking", *whole]

    def _spawn(self, name: str, *arguments: str) -> None:
        # They die with the process that started them, however it dies.
        with (self.folder / f"{name}.log").open("wb") as log:
            command = ["setpriv", "--pdeathsig", "KILL", str(binaries.path(name)), *arguments]
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._processes.append(process)

    def _wait_ready(self, certificate: Path) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes):
                break
            if certificate.exists() and self._ready(certificate):
                return
            time.sleep(0.05)
        raise EnvtestError("the API server did not become ready:\n" + self._logs())

    def _ready(self, certificate: Path) -> bool:
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
        try:
            trust = ssl.create_default_context(cafile=str(certificate))
            with urllib.request.urlopen(request, timeout=30, context=trust) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _logs(self) -> str:
        return "\n".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def _write_kubeconfig(self, certificate: Path) -> None:
        # JSON is YAML.
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "envtest", "cluster": {"server": self.url, "certificate-authority": str(certificate)}},
            ],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "envtest", "context": {"cluster": "envtest", "user": "admin"}}],
            "current-context": "envtest",
        }))  # fmt: skip
        self.kubeconfig.chmod(0o600)

    def _kill(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
