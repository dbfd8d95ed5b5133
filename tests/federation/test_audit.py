"""Looking into the logs of a space: who sees what, what is recorded, what is found."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.ipc
import pyarrow.parquet
import pytest

from dataspace.client.asking import check_answers
from dataspace.client.homes import actor_home
from dataspace.client.session import Session
from dataspace.errors import Unverified
from dataspace.evidence.subjects import KEY_BYTES, subject_tags
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.keystore import load_or_make_secret
from dataspace.linkage.documents import Document
from dataspace.processes import now_ms
from dataspace.record_room import SUBJECT_KEY
from dataspace.v1 import audit_pb2
from tests.federation.copies import still_copy
from tests.federation.planted import plant
from tests.federation.processes import await_true
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space, contents

REGULATOR = "hongkong/regulator"
PERSON = Document.parse("hkid:A123456(3)")
NUMBER = "A123456"
CLINICIAN = "gba://macao/kiang-wu/clinician/clinician-1"


def plant_accesses(home: PartyHome) -> None:
    """Two accesses to one person's records at a node, as a record service writes them."""
    key = load_or_make_secret(home.path / SUBJECT_KEY, KEY_BYTES)
    fields = {
        "actor_region": "macao", "actor_role": "clinician", "purpose": "TREAT",
        "products": ["medications"], "outcome": "released",
    }  # fmt: skip
    body: dict[str, object] = {"actor": CLINICIAN, "subject_tags": subject_tags(key, [PERSON])}
    plant(
        home,
        ("record.released", fields, body),
        ("record.break_glass", fields | {"purpose": "BTG"}, body),
        ("record.released", fields, {"actor": CLINICIAN, "subject_tags": ["00" * 32]}),
    )


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    running = still_copy(tmp_path_factory.mktemp("audit"))
    # Before anything else is recorded: their time is an earlier one.
    plant_accesses(PartyHome(running.home / "hongkong"))
    try:
        assert running.up().code == 0
        asked = running.query("SELECT sex, count(*) FROM patients GROUP BY sex")
        assert asked.code == 0, asked.err
        refused = running.query("SELECT brca, count(*) FROM conditions GROUP BY brca")
        assert refused.code == 4
        yield running
    finally:
        running.down()


def audit(space: Space, *arguments: str, actor: str = REGULATOR, form: str = "json") -> Ran:
    return gba_in(space, "audit", *arguments, "--as", actor, "--format", form)


def entries(ran: Ran) -> list[dict[str, Any]]:
    assert ran.code == 0, ran.err
    found = ran.json["entries"]
    assert isinstance(found, list)
    return found


# --- who sees what ---------------------------------------------------------------------------


def test_a_regulator_sees_the_own_region_whole_and_of_others_codes(space: Space) -> None:
    found = entries(audit(space, "search", "--kind", "query.released", "--product", "patients"))
    assert {each["log"] for each in found} == {"guangzhou", "hongkong", "macao"}
    for each in found:
        own = each["log"] == "hongkong"
        assert (each["actor"] is not None) == (each["sql"] is not None) == own
        assert (each["outcome"], each["purpose"]) == ("released", "HRESCH")
        assert each["rules"] == ["research-statistics"]
        assert each["actor_role"] == "researcher"


def test_no_answer_about_another_region_holds_an_actor_or_a_word_of_sql(space: Space) -> None:
    with Session(actor_home(space.home, REGULATOR)) as session:
        search = audit_pb2.AuditSearch(limit=1000)
        request = audit_pb2.AuditRequest(
            purpose="HOPERAT", logs=["broker", "guangzhou", "macao"], search=search
        )
        answers = session.audit(request, ["broker", "guangzhou", "macao"])
    for answer in answers:
        assert answer.answer is not None
        said = answer.answer.body.SerializeToString()
        assert b"SELECT" not in said
        assert re.search(rb"gba://[a-z]+/[^/]+/(researcher|clinician|regulator)/", said) is None


@pytest.mark.parametrize("option", [("--actor", CLINICIAN), ("--member", "university"),
                                    ("--document", "hkid:A123456(3)")])  # fmt: skip
def test_what_may_not_be_seen_may_not_be_searched(space: Space, option: tuple[str, str]) -> None:
    refused = audit(space, "search", *option, "--log", "macao")
    assert (refused.code, refused.error["rule"]) == (4, "regulator-own-region")
    assert audit(space, "search", *option).code == 0, "the own region's log alone"


@pytest.mark.parametrize("actor", ["hongkong/researcher", "macao/clinician", "macao/public_health"])
def test_nobody_but_a_regulator_looks_into_logs(space: Space, actor: str) -> None:
    for arguments in (["search"], ["show", "macao", "0"], ["reconcile"], ["tail"]):
        refused = audit(space, *arguments, actor=actor)
        assert (refused.code, refused.error["rule"]) == (4, "regulator-own-region")
        assert refused.out == ""


def test_an_operator_sees_the_own_nodes_log_alone_and_that_is_recorded(space: Space) -> None:
    found = entries(audit(space, "search", actor="hongkong/operator"))
    assert {each["log"] for each in found} == {"hongkong"}
    assert audit(space, "show", "macao", "0", actor="hongkong/operator").code == 3
    looked = entries(audit(space, "search", "--kind", "audit.read_locally"))
    assert {each["log"] for each in looked} == {"hongkong"}


def test_every_look_is_itself_recorded_before_it_is_answered(space: Space) -> None:
    before = audit(space, "search", "--kind", "audit.read", "--log", "macao")
    after = audit(space, "search", "--kind", "audit.read", "--log", "macao")
    assert len(entries(after)) == len(entries(before)) + 1
    own = entries(audit(space, "search", "--kind", "audit.read", "--log", "hongkong"))
    assert own[-1]["actor"] == "gba://hongkong/regulator/regulator/regulator-1"
    assert own[-1]["actor_role"] == "regulator"


def test_a_look_that_is_used_twice_is_refused_by_every_node(space: Space) -> None:
    home = actor_home(space.home, REGULATOR)
    with Session(home) as session:
        request = audit_pb2.AuditRequest(
            purpose="HOPERAT", logs=["macao"], search=audit_pb2.AuditSearch(limit=1),
            freshness=make_freshness(
                now_ms=now_ms(), nonce=os.urandom(16), audience=["broker", "macao"]
            ),
        )  # fmt: skip
        envelope = seal(request, home.identity)
        digest = hashlib.sha256(envelope.payload).digest()
        statuses = []
        for _ in range(2):
            answers = session._stub().Audit(envelope, timeout=20)
            (answer,) = check_answers(answers, ["macao"], digest, session.trust, now_ms())
            statuses.append((answer.status, answer.answer and answer.answer.refusal is not None))
        answers.answers[0].body.payload += b"x"
        with pytest.raises(Unverified):
            check_answers(answers, ["macao"], digest, session.trust, now_ms())
        answers.ClearField("answers")
        with pytest.raises(Unverified):
            check_answers(answers, ["macao"], digest, session.trust, now_ms())
    assert statuses == [("released", False), ("refused", True)]


# --- searching -------------------------------------------------------------------------------


def test_pages_hang_together_while_the_logs_grow(space: Space) -> None:
    seen: list[tuple[str, int]] = []
    cursor: list[str] = []
    for _ in range(200):
        page = audit(space, "search", "--limit", "7", *cursor)
        seen += [(each["log"], each["index"]) for each in entries(page)]
        cursor = ["--cursor", page.json["cursor"]]
        if not page.json["more"] or len(seen) > 60:
            break
    assert len(seen) == len(set(seen)) > 14
    for log in ("broker", "guangzhou", "hongkong", "macao"):
        own = [index for each, index in seen if each == log]
        assert own == list(range(len(own))), log


def test_the_filters_find_what_they_name(space: Space) -> None:
    refused = entries(audit(space, "search", "--outcome", "refused", "--from", "2026-01-01"))
    assert {each["outcome"] for each in refused} == {"refused"}
    mine = entries(audit(space, "search", "--member", "university", "--kind", "query.released"))
    assert mine
    assert {each["actor"].split("/")[3] for each in mine} == {"university"}
    request = mine[0]["request_sha256"]
    joined = entries(audit(space, "search", "--request", request))
    assert {each["log"] for each in joined} == {"broker", "guangzhou", "hongkong", "macao"}
    assert entries(audit(space, "search", "--until", "2001-01-01")) == []
    assert audit(space, "search", "--from", "yesterday").code == 3
    assert audit(space, "search", "--cursor", "nonsense").code == 3


def test_a_search_comes_out_in_every_form(space: Space, tmp_path: Path) -> None:
    rows = entries(audit(space, "search", "--kind", "query.released"))
    csv = audit(space, "search", "--kind", "query.released", form="csv").out.splitlines()
    assert len(csv) == len(rows) + 1
    arrow = subprocess.run(
        [sys.executable, "-m", "dataspace.cli.main", "audit", "search", "--kind", "query.released",
         "--home", str(space.home), "--as", REGULATOR, "--format", "arrow"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert pyarrow.ipc.open_stream(arrow.stdout).read_all().num_rows == len(rows)
    file = tmp_path / "found.parquet"
    assert audit(space, "search", "--kind", "query.released", "--out", str(file)).code == 0
    assert pyarrow.parquet.read_table(file)["log"].to_pylist() == [each["log"] for each in rows]
    assert audit(space, "search", "--out", str(tmp_path / "found.txt")).code == 3


def test_one_entry_is_shown_with_its_body_at_home_and_without_elsewhere(space: Space) -> None:
    (own, other) = (
        next(e for e in entries(audit(space, "search", "--kind", "query.released", "--log", log)))
        for log in ("hongkong", "macao")
    )
    shown = audit(space, "show", "hongkong", str(own["index"])).json
    assert shown["body"]["sql"].startswith("SELECT")
    assert shown["entry"]["kind"] == "query.released"
    shown = audit(space, "show", "macao", str(other["index"])).json
    assert (shown["entry"], shown["body"], shown["actor"]) == (None, None, None)
    assert audit(space, "show", "macao", "100000").code == 3


def test_following_prints_what_comes_and_ends_cleanly(space: Space) -> None:
    following = subprocess.Popen(
        [sys.executable, "-m", "dataspace.cli.main", "audit", "tail", "--follow", "--lines", "1",
         "--pause", "0.3", "--home", str(space.home), "--as", REGULATOR, "--format", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert following.stdout is not None
    following.stdout.readline()  # it is there
    time.sleep(0.5)
    assert space.query("SELECT avg(age) FROM patients").code == 0
    heard = [json.loads(following.stdout.readline()) for _ in range(5)]
    following.send_signal(signal.SIGINT)
    _, errors = following.communicate(timeout=20)
    assert following.returncode == 130, errors
    assert "Traceback" not in errors
    assert {each["kind"] for each in heard} == {"query.forwarded", "query.released"}
    assert len({(each["log"], each["index"]) for each in heard}) == 5
    assert len({each["request_sha256"] for each in heard}) == 1


# --- people ----------------------------------------------------------------------------------


def test_a_person_is_told_who_read_their_records(space: Space) -> None:
    told = audit(space, "subject", "--document", "hkid:a123456(3)", actor="hongkong/clinician")
    assert told.code == 0, told.err
    by_region = {each["region"]: each for each in told.json["regions"]}
    assert [each["kind"] for each in by_region["hongkong"]["accesses"]] == [
        "record.released", "record.break_glass",
    ]  # fmt: skip
    assert by_region["hongkong"]["accesses"][0]["member"] == "kiang-wu"
    assert by_region["macao"]["accesses"] == []
    assert told.json["whole"] is True
    assert by_region["hongkong"]["statistics"]["patients"] >= 1
    portuguese = audit(
        space, "subject", "--document", "hkid:A123456(3)", "--lang", "pt", form="table"
    )
    assert "numa emergência, sem o seu consentimento" in portuguese.out
    assert "kiang-wu" in portuguese.out


def test_another_person_has_no_accesses(space: Space) -> None:
    told = audit(space, "subject", "--document", "hkid:G123456(A)")
    assert all(each["accesses"] == [] for each in told.json["regions"])


@pytest.mark.parametrize(
    ("actor", "purpose"), [("hongkong/researcher", "PATRQT"), ("hongkong/clinician", "TREAT")]
)
def test_accesses_are_told_on_a_patients_behalf_alone(
    space: Space, actor: str, purpose: str
) -> None:
    document = "hkid:A123456(3)"
    refused = audit(space, "subject", "--document", document, "--purpose", purpose, actor=actor)
    assert (refused.code, refused.error["rule"]) == (4, "patient-request")


def test_a_persons_number_is_kept_nowhere(space: Space) -> None:
    assert audit(space, "subject", "--document", "hkid:A123456(3)").code == 0
    assert audit(space, "search", "--document", "hkid:A123456(3)").code == 0
    for party in ("broker", "guangzhou", "hongkong", "macao"):
        for folder in ("log", "bodies", "run"):
            for file, content in contents(space.home / party / folder).items():
                assert NUMBER.encode() not in content, file
        assert NUMBER.encode() not in (space.home / party / "index.db").read_bytes()
    key = space.home / "hongkong" / SUBJECT_KEY
    assert key.stat().st_mode & 0o077 == 0


# --- alarms and erasure ----------------------------------------------------------------------


def test_many_refusals_raise_one_alarm_that_names_nobody(space: Space) -> None:
    for _ in range(12):
        query = "SELECT brca, count(*) FROM conditions GROUP BY brca"
        assert gba_in(
            space, "query", query, "--purpose", "HRESCH", "--as", "macao/researcher"
        ).code == 4  # fmt: skip

    def raised() -> list[dict[str, Any]]:
        return entries(audit(space, "search", "--kind", "alarm.raised", "--log", "broker"))

    await_true(lambda: len(raised()) >= 1, "no alarm was raised")
    assert {rule for each in raised() for rule in each["rules"]} == {"many-refusals"}
    assert len(raised()) <= 2
    log = b"".join(contents(space.home / "broker/log/tile").values())
    assert b"many-refusals" in log
    assert b"macao/university/researcher" not in log


def test_erasing_a_body_keeps_every_proof_and_is_recorded(space: Space) -> None:
    own = entries(audit(space, "search", "--member", "university", "--kind", "query.released"))
    index = own[0]["index"]
    erased = gba_in(space, "audit", "erase", "hongkong", "--entry", str(index), "--format", "json")
    assert erased.json == {"log": "hongkong", "erased": 1}
    shown = audit(space, "show", "hongkong", str(index)).json
    assert (shown["body_erased"], shown["body"], shown["sql"]) == (True, None, None)
    left = entries(audit(space, "search", "--member", "university", "--kind", "query.released"))
    assert index not in {each["index"] for each in left}
    (said,) = entries(audit(space, "search", "--kind", "bodies.erased"))
    assert (
        audit(space, "show", "hongkong", str(said["index"])).json["entry"]["fields"]["count"] == 1
    )
    assert gba_in(space, "audit", "verify").code == 0
    assert gba_in(space, "audit", "erase", "hongkong").code == 3


# --- reconciliation --------------------------------------------------------------------------


def test_honest_logs_agree_over_the_wire_and_offline(space: Space, tmp_path: Path) -> None:
    asked = space.query("SELECT count(*) FROM patients")
    kept = tmp_path / "release.json"
    kept.write_text(asked.out)
    time.sleep(5.5)
    for extra in ([], ["--as", REGULATOR]):
        held = gba_in(
            space, "audit", "reconcile", "--client", str(kept), "--format", "json", *extra
        )
        assert held.code == 0, held.out
        assert held.json["agree"] is True
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps({"release": "cd" * 32}))
    found = gba_in(space, "audit", "reconcile", "--client", str(forged), "--format", "json")
    assert found.code == 6
    assert [each["code"] for each in found.json["differences"]] == ["broker-never-logged"]
