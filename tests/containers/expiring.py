"""Certificates that expire in a moment. Runs inside a node's container: `python -c … HOME SECONDS`.

Issues the node's two certificates again, for its own keys, by the authority that `gba space init`
left in the region's home, and lays them over the old ones. It imports nothing of the tests.
"""

from __future__ import annotations

import secrets
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dataspace.home import PartyHome
from dataspace.identity.certificates import issue_signing, issue_tls
from dataspace.identity.keystore import (
    SIGNING_CHAIN,
    TLS_CHAIN,
    load_chain,
    load_private_key,
    write_chain,
)


def main() -> None:
    """Lay them over."""
    home, seconds = PartyHome(Path(sys.argv[1])), float(sys.argv[2])
    now = datetime.now(UTC).replace(microsecond=0)
    authority = home.path / "authority" / "members"
    key: Any = load_private_key(authority / f"{home.uri.member}.key")
    (ca,) = load_chain(authority / f"{home.uri.member}.pem")
    for chain, issue in ((SIGNING_CHAIN, issue_signing), (TLS_CHAIN, issue_tls)):
        own: Any = load_chain(home.path / chain)[0].public_key()
        leaf = issue(
            home.uri, own, ca, key,
            not_before=now - timedelta(minutes=5), not_after=now + timedelta(seconds=seconds),
            serial=secrets.randbits(150) + 1,
        )  # fmt: skip
        write_chain(home.path / chain, [leaf, ca])


if __name__ == "__main__":
    main()
