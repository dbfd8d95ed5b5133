"""What a node keeps of agreements: taken in when it attaches, or as soon as they verify."""

from __future__ import annotations

from pathlib import Path

from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.v1 import broker_pb2
from node.gatekeeper import now_ms
from node.service import Node
from tests.attacks.record_case import REGION, agreements_of
from tests.federation.copies import still_copy
from tests.revocations import fresh_lists


def test_an_agreement_is_taken_as_soon_as_the_other_regions_list_has_come(tmp_path: Path) -> None:
    space = still_copy(tmp_path)
    lists = dict(zip(REGIONS, fresh_lists(space.home, now_ms()), strict=True))
    node = Node.open(PartyHome(space.home / REGION))
    try:
        shelf, welcome = node.governance.agreements.shelf, broker_pb2.Welcome()
        welcome.agreements.extend(agreements_of(space))
        node.in_force.take([lists[REGION], lists["guangzhou"]])
        node.governance.take(welcome)
        assert shelf.of_pair(REGION, "guangzhou")
        assert not shelf.of_pair(REGION, "macao")
        node.in_force.take([lists["macao"]])
        node.governance.take_late()
        assert shelf.of_pair(REGION, "macao")
        assert shelf.of_pair("macao", REGION)
    finally:
        node.close()
