"""Logs of the processes: one line an event, with its keys and values, to standard output."""

import structlog


def configure_logs() -> None:
    """Tracebacks are printed without the values of variables, among which there may be credentials."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
