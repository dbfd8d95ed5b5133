"""`python -m node.witness --home DIR`: a region's witness."""

from __future__ import annotations

from dataspace.home import PartyHome
from dataspace.starting import run_service
from node.witness.service import WitnessService


def main() -> None:
    """Run a witness."""
    run_service("node.witness", "the witness's", _serve)


async def _serve(home: PartyHome) -> None:
    await WitnessService.open(home).run()


if __name__ == "__main__":
    main()
