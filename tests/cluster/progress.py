"""One line a step on stderr, with the time since the start: whoever waits for minutes sees what for."""

import sys
import time

_start = time.monotonic()


def progress(line: str) -> None:
    """Print `line` behind the seconds since the process began."""
    sys.stderr.write(f"[{time.monotonic() - _start:6.1f} s] {line}\n")
    sys.stderr.flush()
