"""`python -m node.revocation --home DIR`: a region's revocation signer."""

from __future__ import annotations

from dataspace.home import PartyHome
from dataspace.starting import run_service
from node.revocation.service import SignerService


def main() -> None:
    """Run a revocation signer."""
    run_service("node.revocation", "the signer's", _serve)


async def _serve(home: PartyHome) -> None:
    await SignerService.open(home).run()


if __name__ == "__main__":
    main()
