"""Makes run.svg: the terminal of `make run`, from a real run of examples/gridbot.yaml.

python docs/images/record_run.py
"""

import asyncio
import io
import os
import re
import signal
import tempfile
from pathlib import Path

import structlog
from rich.console import Console
from rich.text import Text

from opensqt.cli.run.checks import check
from opensqt.cli.run.inputs import Overrides
from opensqt.cli.run.live import LiveScreen, drawn
from opensqt.cli.run.manifests import read_manifests
from opensqt.cli.run.picture import Picture
from opensqt.cli.run.plan import apply
from opensqt.cli.run.play import play
from opensqt.cli.run.session import FILLS_SHOWN
from opensqt.cli.run.state import State

WIDTH = 118
HERE = Path(__file__).parent
MANIFEST = HERE.parents[1] / "examples" / "gridbot.yaml"
ENOUGH = 0.04
"""Of the data has to be played."""


class _Recorder(LiveScreen):
    """Ends the run when there is something to see."""

    taken: Picture | None = None
    taken_notes: tuple[Text, ...] = ()

    def show(self, picture: Picture) -> None:
        super().show(picture)
        played = min((one.fraction for one in picture.progress), default=0.0)
        if self.taken is None and played >= ENOUGH and len(picture.fills) == FILLS_SHOWN:
            self.taken, self.taken_notes = picture, tuple(self.notes)
            os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Runs the example and writes run.svg beside this file."""
    os.environ["no_grpc_proxy"] = "127.0.0.0/8"  # noqa: SIM112 - gRPC knows it in lower case alone
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(io.StringIO()))
    manifests = read_manifests([MANIFEST])
    check(manifests)
    screen = _Recorder(Console(stderr=True, width=WIDTH))
    with tempfile.TemporaryDirectory() as folder:
        state = State.open(Path(folder) / "state")
        plan = apply(manifests, state, Overrides(speed=3000))
        asyncio.run(play(plan, state, screen, dsn=None, until_end=False, throw_away=True))
        state.close()
    assert screen.taken is not None  # noqa: S101
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True)
    console.print("$ make run\n")
    console.print(drawn(screen.taken, list(screen.taken_notes)))
    svg = console.export_svg(title="opensqt run -f examples/gridbot.yaml")
    # Whatever fixed-width font the reader has, instead of one from somebody's server.
    (HERE / "run.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
