"""What one log has and another denies: found in the logs of a space that does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataspace.home import PartyHome
from dataspace.processes import now_ms
from tests.federation.copies import still_copy
from tests.federation.planted import plant
from tests.federation.shell import gba_in

REQUEST = "ab" * 32


@pytest.mark.parametrize(
    ("party", "code"), [("macao", "broker-denies"), ("broker", "node-never-logged")]
)
def test_what_one_log_has_and_the_other_denies_is_found(
    tmp_path: Path, party: str, code: str
) -> None:
    space = still_copy(tmp_path)
    common = {"request_sha256": REQUEST, "outcome": "released", "body_sha256": "ef" * 32}
    planted: list[tuple[str, dict[str, Any], dict[str, object]]] = [("query.released", common, {})]
    if party == "broker":
        said = common | {"nodes": {"macao": "released"}, "partials": ["12" * 32]}
        planted = [
            ("query.forwarded", {"request_sha256": REQUEST}, {}),
            ("query.released", said, {}),
        ]
    plant(PartyHome(space.home / party), *planted, at_ms=now_ms() - 3_600_000)
    found = gba_in(space, "audit", "reconcile", "--format", "json")
    assert (found.code, found.error["code"]) == (6, "log-disagreement")
    (difference,) = found.json["differences"]
    assert (difference["code"], difference["log"]) == (code, "macao")
    assert difference["request_sha256"] == REQUEST


def test_a_log_that_does_not_verify_is_not_reconciled(tmp_path: Path) -> None:
    space = still_copy(tmp_path)
    plant(PartyHome(space.home / "macao"), ("query.released", {"request_sha256": REQUEST}, {}))
    (bundle,) = (space.home / "macao/log/tile/entries").rglob("*.p/*")
    bundle.write_bytes(bundle.read_bytes().replace(b"ab", b"ac", 1))
    assert gba_in(space, "audit", "reconcile").code == 6
