"""A Docker engine: the one that answers, or, as root on Linux, one of our own that `stop` ends again."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.cluster.binaries import CACHE, BuildError, ensure, path
from tests.cluster.progress import progress

_RUNC = Path(__file__).with_name("runc-without-cap-sys-resource")
_CAP_SYS_RESOURCE = 24
_PID_FILE = CACHE / "dockerd.pid"
_LOG = CACHE / "dockerd.log"
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 30.0
_PULLS_WITHIN = 600.0


def unavailable() -> str | None:
    """Why no engine answers here and none can be started, or None."""
    if shutil.which("docker") is None:
        return "no docker client on PATH"
    if _answers():
        return None
    if os.geteuid() != 0:
        return "no Docker engine answers, and starting one needs root"
    if shutil.which("dockerd") is None:
        return "no Docker engine answers, and dockerd is not installed"
    return None


def start() -> None:
    """Start an engine where none answers; its images stay in the cache.

    Raises:
        BuildError: there is none, and none can be started.
    """
    if reason := unavailable():
        raise BuildError(reason)
    if _answers():
        return
    progress("starting a Docker engine")
    CACHE.mkdir(parents=True, exist_ok=True)
    runtime = (
        ["--add-runtime", f"uncapped={_RUNC}", "--default-runtime", "uncapped"] if _lacks_cap_sys_resource() else []
    )
    with _LOG.open("wb") as log:
        command = ["dockerd", "--data-root", str(CACHE / "docker"), *runtime]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    _PID_FILE.write_text(str(process.pid))
    deadline = time.monotonic() + _STARTS_WITHIN
    while not _answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise BuildError(f"dockerd does not start:\n{_LOG.read_text()[-3000:]}")
        time.sleep(0.2)


def stop() -> None:
    """End the engine that `start` started, if it did."""
    try:
        pid = int(_PID_FILE.read_text())
        running = b"dockerd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        running = False
    if not running:
        _PID_FILE.unlink(missing_ok=True)
        return
    os.kill(pid, signal.SIGTERM)
    progress("stopping the Docker engine")
    deadline = time.monotonic() + _STOPS_WITHIN
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    _PID_FILE.unlink(missing_ok=True)


def docker(*arguments: str, check: bool = True, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run the docker client; BuildError with its last words where it fails and `check` is set."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)
    out, error = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if check and done.returncode:
        raise BuildError(f"docker {' '.join(arguments[:3])} failed:\n{error[-4000:]}")
    return subprocess.CompletedProcess(done.args, done.returncode, out, error)


def has_image(image: str) -> bool:
    """Whether the engine holds `image`."""
    return docker("image", "inspect", image, check=False).returncode == 0


def pull(image: str) -> bool:
    """Pull `image`; False where it cannot be had."""
    try:
        done = subprocess.run(["docker", "pull", "-q", image], capture_output=True, timeout=_PULLS_WITHIN, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def ensure_buildx() -> None:
    """BuildKit's client plugin, which Debian's docker.io comes without."""
    if docker("buildx", "version", check=False).returncode == 0:
        return
    ensure(["buildx"])
    plugins = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    plugin = plugins / "docker-buildx"
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(path("buildx"))


def _answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return Path(f"/proc/{pid}").exists()


def _lacks_cap_sys_resource() -> bool:
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return not int(bounding, 16) >> _CAP_SYS_RESOURCE & 1
