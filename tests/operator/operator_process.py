"""The real operator as a process of its own."""

import asyncio
import os
import tempfile
import urllib.error
import urllib.request
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.operator.fake_pods import free_address
from tests.operator.operator_fork import forked

ROOT = Path(__file__).parents[2]
IMAGE = "opensqt-bot:test"


class OperatorProcess:
    """`opensqt-operator` with an explicit kubeconfig; a context manager that waits until it is ready."""

    def __init__(self, kubeconfig: Path, namespace: str, *options: str, image: str = IMAGE) -> None:
        self._kubeconfig, self._namespace, self._options, self._image = kubeconfig, namespace, options, image
        self._log = tempfile.NamedTemporaryFile("w+b", prefix="operator-", suffix=".log")  # noqa: SIM115
        self.process: ForkServerProcess | None = None
        self._address = free_address()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is not None:
            error.add_note("--- the operator said:\n" + self.log()[-6000:])
        self._log.close()

    async def start(self, *, ready: bool = True) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'bot'}:{ROOT / 'operator'}",
            "HOME": "/nonexistent",
        }
        words = [
            "--kubeconfig", str(self._kubeconfig), "--namespace", self._namespace,
            "--image", self._image, "--listen", self._address,
            "--log-format", "console", "--resync-seconds", "60", *self._options,
        ]  # fmt: skip
        self.process = forked(words, environment, Path(self._log.name))
        if ready:
            await self.wait_ready()

    async def wait_ready(self) -> None:
        async with asyncio.timeout(180):
            while (await self.probe("readyz"))[0] != 200:
                assert self.alive, self.log()
                await asyncio.sleep(0.05)

    async def probe(self, path: str) -> tuple[int, str]:
        return await asyncio.to_thread(_get, f"http://{self._address}:8080/{path}")

    async def metrics(self) -> str:
        return (await asyncio.to_thread(_get, f"http://{self._address}:9090/metrics"))[1]

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.is_alive()

    async def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            await self._ended()

    async def stop(self) -> int:
        """SIGTERM, as kubelet does it; the exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            async with asyncio.timeout(120):
                await self._ended()
        except TimeoutError:
            await self.kill()
        return self.process.exitcode or 0

    async def _ended(self) -> None:
        # In this thread alone: two that ask at once might both miss the exit code.
        while self.alive:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)

    def log(self) -> str:
        return Path(self._log.name).read_text()


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)
