"""Operators that start at once: forked from a server that has imported what takes long, and opened nothing.

gRPC is not among it: a fork of a process with gRPC in it may hang.
"""

import ctypes
import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PRELOADED = ["kopf", "aiohttp.web", "lightkube.models.core_v1", "opensqt.api.connector", "opensqt.api.gridbot_status"]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_PRELOADED)


def forked(words: list[str], environment: dict[str, str], log: Path) -> ForkServerProcess:
    """`opensqt-operator WORDS…`, begun as a process of its own that dies with the tests, however they die."""
    process = _CONTEXT.Process(target=_operate, args=(words, environment, str(log)), daemon=True)
    process.start()
    return process


def _operate(words: list[str], environment: dict[str, str], log: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(environment)
    from opensqt_operator.main import main  # noqa: PLC0415 - gRPC is imported after the fork

    main(words, prog_name="opensqt-operator")
