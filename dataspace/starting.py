"""A service from its command line to its exit code, and until a signal. Rim."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from dataspace.errors import DataspaceError
from dataspace.exits import exit_code
from dataspace.home import PartyHome
from dataspace.processes import configure_logs, die

Serve = Callable[[PartyHome], Coroutine[Any, Any, None]]


def home_parser(module: str, owner: str) -> argparse.ArgumentParser:
    """What reads `python -m MODULE --home DIR`."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--home", type=Path, required=True, help=f"{owner} own directory")
    return parser


def run_service(module: str, owner: str, serve: Serve) -> None:
    """The whole of a service that takes a home and nothing else."""
    arguments = home_parser(module, owner).parse_args()
    configure_logs()
    start(PartyHome(arguments.home), serve)


def start(home: PartyHome, serve: Serve) -> None:
    """Serve from a home that is fit to start; ends the process where something is wrong."""
    run_folder = None
    try:
        _ = home.config
        run_folder = home.folder("run")
        home.check_startable()
        asyncio.run(serve(home))
    except DataspaceError as error:
        die(run_folder, error, exit_code(error))


def stop_signal() -> asyncio.Event:
    """Set by the signals that ask for an end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
