"""`gba query --explain`: each node says what it would do, and nothing is run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dataspace.audit.entries import Entry
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import decode_bundle, tiles_of
from dataspace.cli.supervising import start_party
from dataspace.client.session import OnProgress, Session
from dataspace.home import PartyHome
from dataspace.identity.names import REGIONS
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.attacks.forgery import log_sizes
from tests.federation.processes import await_ready, stop
from tests.federation.shell import gba_in
from tests.spaces import Ran, Space

ACTOR = "hongkong/researcher"
ACROSS = (
    "SELECT m.category, count(distinct g.person) AS n FROM guangzhou.patients g "
    "JOIN macao.conditions m ON g.person = m.person WHERE g.age > 40 GROUP BY m.category"
)
JOINED = (
    "SELECT c.category, count(*) AS n, avg(p.age) AS a, "
    "sum(CASE WHEN p.sex = 'F' THEN 1 ELSE 0 END) AS women, "
    "count(*) FILTER (WHERE c.onset_date >= DATE '2020-01-01') AS late "
    "FROM patients p JOIN conditions c ON p.person = c.person WHERE p.smoker "
    "GROUP BY c.category HAVING count(*) > 20 ORDER BY n DESC LIMIT 3"
)


def explain(
    space: Space, sql: str, *, actor: str = ACTOR, purpose: str = "HRESCH", format_: str = "json"
) -> Ran:
    """`gba query … --explain`."""
    asked = ("--purpose", purpose, "--as", actor, "--format", format_)
    return gba_in(space, "query", sql, "--explain", *asked)


def explained(space: Space, sql: str, **asked: str) -> dict[str, dict[str, Any]]:
    """What each region said."""
    ran = explain(space, sql, **asked)
    assert ran.code == 0, ran.err
    return {node["region"]: node for node in ran.json["nodes"]}


def entries(space: Space, owner: str, since: int) -> list[dict[str, Any]]:
    """The entries of a party's log from an index on."""
    log = DirectoryReader(space.home / owner / "log")
    size = log_sizes(space)[owner]
    found = [
        entry
        for tile in tiles_of(size)
        if tile.level is None
        for entry in decode_bundle(tile, log.read(tile))
    ]
    read = [json.loads(Entry.from_bytes(entry).to_bytes()) for entry in found[since:]]
    return [{"kind": each["kind"], **each["fields"]} for each in read]


# --- what a node says ------------------------------------------------------------------------


def test_each_node_shows_its_tree_columns_rules_and_disclosure(asked_space: Space) -> None:
    nodes = explained(asked_space, JOINED)
    assert set(nodes) == set(REGIONS)
    for node in nodes.values():
        assert node["status"] == "explained"
        assert node["tree"] == [
            "from patients as t0",
            "join conditions as t1",
            "where t0.smoker",
            "key 0: t1.category",
            "aggregate 0: count(*)",
            "aggregate 1: avg(t0.age)",
            "aggregate 2: sum(case((t0.sex = 'F'): 1; else: 0)), 2 cells of its own",
            "aggregate 3: count(*) filter ((t1.onset_date >= 2020-01-01))",
            "output category: key 0",
            "output n: aggregate 0",
            "output a: aggregate 1",
            "output women: aggregate 2",
            "output late: aggregate 3",
            "having (aggregate 0 > 20)",
            "order by aggregate 0 desc",
            "limit 3 offset 0",
        ]
        patients, conditions = node["products"]["patients"], node["products"]["conditions"]
        assert patients["columns"] == ["age", "sex", "smoker"]
        assert patients["categories"] == ["demographic", "lifestyle"]
        assert conditions["columns"] == ["category", "onset_date"]
        assert conditions["categories"] == ["health"]
        for product in (patients, conditions):
            assert product["outcome"] == "permit"
            assert [rule["rule"] for rule in product["rules"]] == ["research-statistics"]
            assert all(rule["basis"] and rule["message"] for rule in product["rules"])
            assert product["disclosure"]["min_subjects"] == 11
            assert product["disclosure"]["round_to"] == 5


@pytest.mark.parametrize(
    ("sql", "asked", "rule"),
    [
        ("SELECT brca, count(*) FROM conditions GROUP BY brca", {}, "gba-health-2024"),
        ("SELECT count(*) FROM conditions", {"purpose": "TREAT"}, "default-deny"),
        ("SELECT count(*) FROM conditions", {"actor": "macao/clinician"}, "default-deny"),
    ],
)
def test_what_would_be_denied_is_explained_with_the_rule(
    asked_space: Space, sql: str, asked: dict[str, str], rule: str
) -> None:
    for node in explained(asked_space, sql, **asked).values():
        product = node["products"]["conditions"]
        assert (node["status"], product["outcome"]) == ("explained", "deny")
        assert rule in [each["rule"] for each in product["rules"]]
        assert all(each["message"] for each in product["rules"])


def test_a_withheld_column_is_explained_by_each_node_with_the_rule(asked_space: Space) -> None:
    for region, node in explained(
        asked_space, "SELECT hkid, count(*) FROM patients GROUP BY hkid"
    ).items():
        assert (node["region"], node["status"]) == (region, "refused")
        assert node["rule"] == "column-withheld"
        assert node["basis"]
        assert "hkid is withheld" in node["error"]
        assert "line 1, column 46" in node["error"]
        assert node["nearest"] == "the query without that column"


def test_what_would_be_done_across_regions_is_said_by_each_side(asked_space: Space) -> None:
    nodes = explained(asked_space, ACROSS)
    assert set(nodes) == {"guangzhou", "macao"}
    for region, node in nodes.items():
        assert node["status"] == "explained"
        assert node["tree"] == [
            "from guangzhou.patients as t0",
            "where (t0.age > 40)",
            "join on the same human being macao.conditions as t1",
            "key 0: t1.category",
            "aggregate 0: count(person)",
            "output category: key 0",
            "output n: aggregate 0",
        ]
        own, columns = ("patients", ["age"]) if region == "guangzhou" else (
            "conditions", ["category"])  # fmt: skip
        assert set(node["products"]) == {own}
        product = node["products"][own]
        assert (product["outcome"], product["columns"]) == ("permit", columns)
        assert [rule["rule"] for rule in product["rules"]] == ["research-statistics"]
        assert product["agreements"]["state"] == "valid"
        assert product["agreements"]["digests"]
        assert node["round"]["regions"] == ["guangzhou", "macao"]
        assert node["round"]["tier"] == "blind"
        assert "[birth_date, given_name, sex, surname]" in node["round"]["match"]
        assert node["round"]["disclosure"]["min_subjects"] == 11
    ran = explain(asked_space, ACROSS, format_="table")
    for words in (
        "round between guangzhou and macao, blind tier", "agreements  valid: ", "match 1  ",
        "the strictest of all sides",
    ):  # fmt: skip
        assert words in ran.out


def test_a_round_that_would_be_denied_is_explained_and_none_is_held(asked_space: Space) -> None:
    before = log_sizes(asked_space)
    for node in explained(asked_space, ACROSS, purpose="TREAT").values():
        (product,) = node["products"].values()
        assert (node["status"], product["outcome"]) == ("explained", "deny")
    for region in ("guangzhou", "macao"):
        (entry,) = entries(asked_space, region, before[region])
        assert (entry["kind"], entry["decision"]) == ("overlap.explained", "deny")
    assert [each["kind"] for each in entries(asked_space, "broker", before["broker"])] == [
        "query.forwarded"
    ]


def test_a_tier_that_an_owner_does_not_allow_is_explained_with_the_rule(asked_space: Space) -> None:
    with Session(PartyHome(asked_space.home / "actors/hongkong-researcher")) as session:
        told = session.explain(ACROSS, purpose="HRESCH", tier="keyed")
        assert {each.content["rule"] for each in told} == {"linkage-tier"}
        union = session.explain(
            "SELECT count(distinct person) FROM patients", purpose="HRESCH", distinct="union"
        )
        withheld = session.explain(ACROSS.replace("g.age > 40", "g.hkid = 'x'"), purpose="HRESCH")
    assert [each.content["tree"][1] for each in union] == [
        "union on the same human being hongkong.patients as t1"
    ] * 3
    assert {each.content["rule"] for each in withheld} == {"column-withheld"}


def test_one_region_explains_what_is_asked_of_it_alone(asked_space: Space) -> None:
    nodes = explained(asked_space, "SELECT median(age) AS m FROM macao.patients")
    assert set(nodes) == {"macao"}
    assert nodes["macao"]["tree"][:2] == [
        "from macao.patients as t0",
        "aggregate 0: quantile(t0.age)",
    ]


def test_the_table_for_people_says_the_same(asked_space: Space) -> None:
    ran = explain(asked_space, JOINED, format_="table")
    assert ran.code == 0
    for words in (
        "macao: explained", "  join conditions as t1", "product conditions: permit",
        "columns     age, sex, smoker", "categories  demographic, lifestyle",
        "rule        research-statistics", "disclosure  min_subjects 11, round_to 5",
    ):  # fmt: skip
        assert words in ran.out
    withheld = "SELECT count(hkid) FROM patients"
    ran = explain(asked_space, withheld, format_="table")
    assert "rule: column-withheld" in ran.out
    assert "nearest: the query without that column" in ran.out


# --- what is malformed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "place", "nearest"),
    [
        ("SELECT sex,\n  max(age) FROM patients GROUP BY sex", "line 2", "quantile(x, 0.95)"),
        ("SELECT mediann(age) FROM patients", "line 1, column 8", "median(…)"),
        ("SELECT age FROM patients", "line 1, column 8", "SELECT x, count(*) … GROUP BY x"),
        ("SELECT count(distinct sex, age) FROM patients", "line 1", "count(distinct person)"),
        ("SELECT count(*) FROM patients WHERE age = 40", "line 1, column 37", "x >= 40"),
        ("SELECT avg(age * age) FROM patients", "line 1, column 12", "avg(1.8 * x + 32)"),
        ("SELECT count(*) FROM patients p JOIN conditions c ON p.sex = c.category",
         "line 1, column 38", "ON a.person = b.person"),
        ("SELECT avg(g.age) FROM guangzhou.patients g JOIN macao.patients m ON g.person = m.person",
         "line 1", "count(distinct"),
        ("SELECT count(*) FROM patients -- all", "line 1", "without its comments"),
    ],
)  # fmt: skip
def test_malformed_text_names_its_place_and_the_nearest_permitted_form(
    asked_space: Space, sql: str, place: str, nearest: str
) -> None:
    ran = explain(asked_space, sql)
    assert ran.code == 3
    assert ran.error["error"] == "malformed"
    assert place in ran.error["message"]
    assert place in ran.json["malformed"]
    assert nearest in ran.json["nearest"]
    assert ran.json["nodes"] == []


def test_the_nearest_form_is_told_to_people_too(asked_space: Space) -> None:
    sql = "SELECT max(age) FROM patients"
    ran = explain(asked_space, sql, format_="table")
    assert (ran.code, ran.error["code"]) == (3, "unlisted")
    assert ran.out.strip() == "nearest permitted form: quantile(x, 0.95)"


# --- nothing is run --------------------------------------------------------------------------


class Watched(Session):
    """A session that keeps the stages it hears of."""

    def __init__(self, home: PartyHome) -> None:
        super().__init__(home)
        self.stages: set[tuple[str, str]] = set()

    def _ask(
        self,
        envelope: Envelope,
        seconds: float,
        on_progress: OnProgress | None,
        cosigned_seconds: float = 0.0,
    ) -> tuple[query_pb2.QueryEvent, bytes, query_pb2.Cosigned | None]:
        def hear(region: str, stage: str, _: float) -> None:
            self.stages.add((region, stage))

        return super()._ask(envelope, seconds, hear, cosigned_seconds)


def test_nothing_is_run_and_the_log_says_explained(asked_space: Space) -> None:
    before = log_sizes(asked_space)
    with Watched(PartyHome(asked_space.home / "actors/hongkong-researcher")) as session:
        session.explain(JOINED, purpose="HRESCH")
        assert session.stages
        assert "running" not in {stage for _, stage in session.stages}
        session.query("SELECT count(*) FROM patients", purpose="HRESCH")
        assert "running" in {stage for _, stage in session.stages}
    for region in REGIONS:
        first, second = entries(asked_space, region, before[region])
        assert (first["kind"], second["kind"]) == ("query.explained", "query.released")
        assert first["outcome"] == "explained"
        assert first["decision"] == "permit"
        assert first["rules"] == ["research-statistics"]
        assert "cells" not in first
    kinds = [each["kind"] for each in entries(asked_space, "broker", before["broker"])]
    assert kinds == ["query.forwarded", "query.forwarded", "query.released"]


def test_an_explained_denial_is_recorded_as_such(asked_space: Space) -> None:
    before = log_sizes(asked_space)
    explained(asked_space, "SELECT brca, count(*) FROM conditions GROUP BY brca")
    explained(asked_space, "SELECT count(hkid) FROM patients")
    for region in REGIONS:
        denied, withheld = entries(asked_space, region, before[region])
        assert (denied["kind"], denied["decision"]) == ("query.explained", "deny")
        assert (withheld["kind"], withheld["rule"]) == ("query.refused", "column-withheld")


def test_a_node_that_is_away_is_named_and_the_others_explain(asked_space: Space) -> None:
    stop(asked_space, "macao")
    try:
        nodes = explained(asked_space, JOINED)
    finally:
        start_party(asked_space.home, "macao")
        await_ready(asked_space)
    assert {region: node["status"] for region, node in nodes.items()} == {
        "guangzhou": "explained", "hongkong": "explained", "macao": "unreachable",
    }  # fmt: skip
    assert nodes["macao"]["error"].endswith("(per broker)")
    assert "tree" not in nodes["macao"]
