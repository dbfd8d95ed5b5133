"""A region's new host: its node and those beside it join together, by one file of requests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from google.protobuf import json_format

from dataspace.home import PartyHome
from dataspace.identity.keystore import load_private_key
from dataspace.identity.trustlist import seal_trust_list
from dataspace.processes import now_ms
from dataspace.v1 import trust_pb2
from tests.spaces import Ran
from tests.unit.joining.steps import MARIA, gba, install, issue, join, rotate, with_authority

NODE = "gba://macao/health-authority/node/node-2"
BESIDE = ("--beside", "operator", "--beside", "witness", "--beside", "revocation")


def join_host(space: Path, home: Path) -> Ran:
    return join(space, home, NODE, "--log-origin", "gba.dataspace/macao/2", *BESIDE)


def test_a_regions_new_host_asks_once_for_all_its_parties(space: Path, tmp_path: Path) -> None:
    host, pem, drafted = tmp_path / "host", tmp_path / "host.pem", tmp_path / "next.json"
    joined = join_host(space, host)
    assert joined.code == 0, joined.err
    asked = gba("identity", "request", "--home", str(host), "--format", "json").json
    assert [each["uri"].split("/")[-1] for each in asked["beside"]] == [
        "operator-2", "witness-2", "revocation-2",
    ]  # fmt: skip
    ran = gba("trust", "draft", str(drafted), "--add", str(host / "request.json"),
              "--home", str(space / "macao"))  # fmt: skip
    assert ran.code == 0, ran.err
    assert [line.split()[1] for line in ran.out.splitlines()[:-1]] == ["log", "other", "revocation"]
    assert issue(space, host, pem, "--fingerprint", "0000").error["rule"] == "request-fingerprint"
    assert issue(space, host, pem, "--fingerprint", asked["fingerprint"]).code == 0
    assert pem.stat().st_mode & 0o777 == 0o644  # it travels, and holds nothing secret
    # The list does not name the signer yet, so nobody gets anything.
    assert install(pem, host).error["rule"] == "install-pin"
    assert not list(host.rglob("certs"))
    wire = json_format.Parse(drafted.read_text(), trust_pb2.TrustList())
    keys = [(f"{each}-1", load_private_key(space / each / "authority/trust.key"))
            for each in ("macao", "hongkong")]  # fmt: skip
    (tmp_path / "2.dsse").write_bytes(seal_trust_list(wire, keys).SerializeToString())
    assert gba("trust", "update", str(tmp_path / "2.dsse"), "--home", str(host)).code == 0
    taken = install(pem, host)
    assert taken.code == 0, taken.err
    for party in (host, host / "operator", host / "witness", host / "revocation"):
        PartyHome(party).check_startable()
        assert PartyHome(party).trust(now_ms()).version == 2
    # Its log is the region's second in the list, and is judged by its own key.
    told = " ".join(gba("doctor", "--all", "--home", str(host)).out.split())
    assert "0 entries, every hash and the signature hold" in told
    assert rotate(host / "operator", *with_authority(space)).code == 0


def test_a_host_that_lost_some_certificates_asks_for_those_alone(
    space: Path, tmp_path: Path
) -> None:
    host, pem = tmp_path / "host", tmp_path / "host.pem"
    more = ("--log-origin", "gba.dataspace/macao/2", "--beside", "operator", "--beside", "witness")
    assert join(space, host, NODE, *more).code == 0
    assert issue(space, host, pem).code == 0
    assert install(pem, host).code == 0
    shutil.rmtree(host / "operator/certs")
    asked = gba("identity", "request", "--home", str(host), "--format", "json").json
    assert asked["uri"] == "gba://macao/health-authority/operator/operator-2"
    assert "beside" not in asked


@pytest.mark.parametrize(
    ("uri", "role"), [(NODE, "broker"), (NODE, "researcher"), (MARIA, "operator")]
)
def test_beside_a_node_stand_its_own_and_nobody_else(
    space: Path, tmp_path: Path, uri: str, role: str
) -> None:
    ran = join(space, tmp_path / "host", uri, "--beside", role)
    assert (ran.code, ran.error["code"]) == (3, "beside")
    assert not (tmp_path / "host").exists()


def test_a_file_of_requests_is_of_one_region_and_of_each_party_once(
    space: Path, tmp_path: Path
) -> None:
    files = []
    for name, uri in (("m", MARIA), ("k", "gba://hongkong/university/researcher/kit")):
        assert join(space, tmp_path / name, uri).code == 0
        files.append((tmp_path / name / "request.json").read_bytes())
    first, other = files
    for content in (first + other, first + first, first * 9, first + b"{", b"", first[:-9]):
        (tmp_path / "m/request.json").write_bytes(content)
        ran = issue(space, tmp_path / "m", tmp_path / "m.pem")
        assert (ran.code, ran.error["code"]) == (3, "signing-request")
    assert not (tmp_path / "m.pem").exists()
