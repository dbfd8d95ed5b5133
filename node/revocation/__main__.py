"""`python -m node.revocation --home DIR`: a region's revocation signer."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from dataspace.errors import DataspaceError
from dataspace.exits import exit_code
from dataspace.home import PartyHome
from dataspace.processes import configure_logs, die
from node.revocation.service import SignerService


def main() -> None:
    """Run a revocation signer."""
    parser = argparse.ArgumentParser(prog="python -m node.revocation")
    parser.add_argument("--home", type=Path, required=True, help="the signer's own directory")
    arguments = parser.parse_args()
    configure_logs()
    home = PartyHome(arguments.home)
    run_folder = None
    try:
        _ = home.config
        run_folder = home.folder("run")
        home.check_startable()
        asyncio.run(_serve(home))
    except DataspaceError as error:
        die(run_folder, error, exit_code(error))


async def _serve(home: PartyHome) -> None:
    await SignerService.open(home).run()


if __name__ == "__main__":
    main()
