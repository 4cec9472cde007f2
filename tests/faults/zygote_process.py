"""The process that bots and connectors are forked from: it has imported everything, and opened nothing."""

import ctypes
import json
import os
import signal
import sys

import opensqt.cli.bot
import opensqt.cli.connector
import opensqt.connector.faults
import opensqt.connector.paper.lockstep
import opensqt.connector.paper.venue  # noqa: F401 - what the connector imports when it starts
from opensqt.cli.main import main as opensqt_main
from opensqt.connector.retry import Backoff
from opensqt.runtime import feeds, lockstep, loop, reconciliation, startup

PR_SET_PDEATHSIG = 1
QUICK = Backoff(first=0.02, cap=0.1, floor=0.01)


def main() -> None:
    """Reads a line for each process to start, `{"words": […], "env": {…}, "log": path}`; answers with its id."""
    feeds.TO_CONNECTOR = lockstep.RECONNECTS = startup.WAITS = loop.COMMITS = QUICK  # type: ignore[attr-defined]
    reconciliation.EVERY = 0.5
    loop.SNAPSHOT_EVERY = 5  # so that a short market has statements of this kind too
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        process = os.fork()
        if process:
            print(process, flush=True)  # noqa: T201 - the protocol
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a test that is killed leaves none behind
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.environ.update(wanted["env"])
        opensqt_main(wanted["words"])
        os._exit(0)
