"""kubectl against one named cluster: never against whatever the user's current context is."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import binaries


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Call it with kubectl's arguments. Of `kubeconfig` (None: the user's own) and `context` one is always given."""

    kubeconfig: Path | None
    context: str | None = None

    def __post_init__(self) -> None:
        if self.kubeconfig is None and self.context is None:
            raise ValueError("name a kubeconfig or a context")

    @property
    def flags(self) -> list[str]:
        """What names the cluster, to kubectl."""
        chosen = ["--kubeconfig", str(self.kubeconfig)] if self.kubeconfig else []
        return chosen + (["--context", self.context] if self.context else [])

    def __call__(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run it; with `check`, a failure raises CalledProcessError with kubectl's message as a note."""
        done = subprocess.run(
            [binaries.tool("kubectl"), *self.flags, *arguments],
            input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stderr)
            raise error
        return done

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`, parsed; None where the object does not exist."""
        answer = self("get", *arguments, "--ignore-not-found", "-o", "json").stdout
        return json.loads(answer) if answer else None
