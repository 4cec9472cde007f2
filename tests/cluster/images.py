"""Builds the project's two images, on python:3.12-slim or, where that cannot be pulled, on a Debian root."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import engine
from tests.cluster.binaries import CACHE, BuildError
from tests.cluster.progress import progress

ROOT = Path(__file__).parents[2]

_DOCKERFILES = (("opensqt/operator", "Dockerfile.operator"), ("opensqt/bot", "Dockerfile.bot"))
_EXCHANGES = "opensqt/exchanges"
_BASE = "python:3.12-slim"
_DEBIAN_BASE = "opensqt/python:bookworm"
_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True)
class Images:
    """The two images, each `repository:tag`; the tag is of the image's content, so that a change rolls what runs."""

    operator: str
    bot: str


def build(registry: str = "") -> Images:
    """Build both images, in `registry` where one is given.

    Raises:
        BuildError: there is no engine, or a build failed.
    """
    engine.start()
    engine.ensure_buildx()
    base = _base_image()
    return Images(*(_build(f"{registry}/{image}".lstrip("/"), dockerfile, base) for image, dockerfile in _DOCKERFILES))


def build_exchanges(images: Images) -> str:
    """Build the image of the end-to-end tests: the simulated exchanges, and a connector that trades on them.

    Raises:
        BuildError: the build failed.
    """
    tests = ROOT / "tests"
    return _tagged(
        _EXCHANGES, "--build-arg", f"BOT_IMAGE={images.bot}", "-f", str(tests / "e2e/exchanges/Dockerfile"), str(tests)
    )


def remove() -> None:
    """Remove all images, in all their tags."""
    for repository in (*(repository for repository, _ in _DOCKERFILES), _EXCHANGES):
        tags = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).stdout.split()
        if tags:
            engine.docker("image", "rm", "--force", *tags)


def prepare() -> None:
    """Have what `build` needs that takes long: BuildKit and the base image.

    Raises:
        BuildError: one of them cannot be had.
    """
    engine.ensure_buildx()
    _base_image()


def _build(repository: str, dockerfile: str, base: str) -> str:
    progress(f"building {repository} on {base}")
    # The host's network and CA bundle, for the builds' pip alone: nothing of them stays in the image.
    ca = ["--network", "host", "--secret", f"id=ca,src={_CA_BUNDLE}"] if _CA_BUNDLE.exists() else []
    return _tagged(repository, "--build-arg", f"BASE_IMAGE={base}", *ca, "-f", str(ROOT / dockerfile), str(ROOT))


def _tagged(repository: str, *how: str) -> str:
    """What `docker build` makes, named by its content."""
    built = engine.docker("buildx", "build", "--load", "--quiet", "-t", f"{repository}:latest", *how)
    name = f"{repository}:{built.stdout.strip().removeprefix('sha256:')[:12]}"
    engine.docker("tag", f"{repository}:latest", name)
    return name


def _base_image() -> str:
    if base := os.environ.get("BASE_IMAGE"):
        return base
    for base in (_BASE, _DEBIAN_BASE):
        if engine.has_image(base):
            return base
    progress(f"pulling {_BASE}")
    if engine.pull(_BASE):
        return _BASE
    progress(f"it cannot be pulled: building {_DEBIAN_BASE} by mmdebstrap (a minute)")
    archive = CACHE / "python.tar"
    if not archive.exists():
        _debootstrap(archive)
    engine.docker("import", "-c", 'CMD ["python3"]', str(archive), _DEBIAN_BASE)
    return _DEBIAN_BASE


def _debootstrap(archive: Path) -> None:
    fresh = archive.with_name(f"new-{archive.name}")
    packages = "--include=python3,python3-venv,ca-certificates"
    no_docs = "--dpkgopt=path-exclude=/usr/share/{doc,man,locale}/*"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", packages, no_docs, "bookworm", str(fresh)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildError("a base image without a registry needs mmdebstrap (Debian)") from None
    if done.returncode:
        raise BuildError(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
    fresh.replace(archive)
