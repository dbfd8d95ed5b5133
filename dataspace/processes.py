"""What the space's processes share: structured logs, run files, a clear last word. Rim."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

import structlog

from dataspace.errors import DataspaceError


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def configure_logs() -> None:
    """JSON lines on standard error, or plain ones on a terminal. No event may hold row values
    or identities. What a task or thread is about (`request`) stands in each of its lines."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def write_state(run_folder: Path, **state: object) -> None:
    """run/state.json: who runs here and how far it has come. Replaced whole."""
    record = {"pid": os.getpid(), "at": time.time(), **state}
    draft = run_folder / "state.json.new"
    draft.write_text(json.dumps(record))
    draft.rename(run_folder / "state.json")


def read_state(run_folder: Path) -> dict[str, object]:
    """The state last written, or nothing."""
    try:
        state = json.loads((run_folder / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def die(run_folder: Path | None, error: DataspaceError, exit_code: int) -> None:
    """Say what stopped this process, where its starter looks, and leave."""
    if run_folder is not None:
        write_state(
            run_folder, stage="failed", error=error.kind, code=error.code, message=error.message
        )
    sys.stderr.write(json.dumps({"event": "process.failed", "code": error.code,
                                 "message": error.message}) + "\n")  # fmt: skip
    sys.exit(exit_code)
