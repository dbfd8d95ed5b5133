"""Questions across regions in a running space: right, under thresholds, and through deaths."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyarrow.csv import write_csv

from dataspace.cli.supervising import start_party
from dataspace.client import connect
from dataspace.disclosure.rounding import round_count
from dataspace.errors import DataspaceError, Unavailable
from dataspace.linkage.counting import joint_counts
from dataspace.linkage.match_keys import slots
from dataspace.linkage.resolving import resolve
from dataspace.synthetic import truth
from tests.blinding import side
from tests.febrl import FIELDS, LISTS, dataset, quality
from tests.federation.processes import await_ready, process_of, restart, stop
from tests.spaces import Space, run_gba, running_space

PATIENTS, SEED = 600, 9
FEBRL = """
product: {name}
title: {{en: FEBRL}}
source: select * from {name}
subject: rec_id
subject_space: febrl
linkage:
  fields: {{{fields}}}
  match: {match}
  tiers: [blind, keyed]
  pad_to: {pad}
columns:
  state: {{type: varchar, role: dimension}}
disclosure: {{min_subjects: 5, round_to: 1, secondary: false}}
"""
INNER = (
    "SELECT count(distinct g.person) AS n FROM guangzhou.febrl g "
    "JOIN hongkong.febrl h ON g.person = h.person"
)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder = tmp_path_factory.mktemp("overlaps")
    with running_space(folder, "--patients", str(PATIENTS), "--seed", str(SEED)) as running:
        _load_febrl(running, folder)
        yield running


def _load_febrl(space: Space, folder: Path) -> None:
    """The first file's people at guangzhou, the second's at hongkong, whose sizes are padded."""
    match = [list(one.kinds) for one in LISTS]
    fields = ", ".join(f"{kind}: {column}" for kind, column in FIELDS.items())
    for region, frame, pad in zip(
        ("guangzhou", "hongkong"), dataset(4).frames, (1, 700), strict=True
    ):
        data = folder / f"{region}.csv"
        write_csv(frame, data)
        product = folder / f"{region}.yaml"
        product.write_text(FEBRL.format(name="febrl", fields=fields, match=match, pad=pad))
        loaded = space.gba("node", "load", region, str(product), str(data))
        assert loaded.code == 0, loaded.err


def _humans() -> dict[str, set[int]]:
    """Who is a patient where, as planted."""
    found: dict[str, set[int]] = {}
    for row in truth(PATIENTS, SEED).to_pylist():
        found.setdefault(row["region"], set()).add(row["human_id"])
    return found


def _ask(space: Space, sql: str, **more: str) -> list[tuple[object, ...]]:
    with connect(space.home, "hongkong/researcher") as session:
        return list(session.query(sql, purpose="HRESCH", **more).answer.rows)  # type: ignore[arg-type]  # as given


def test_the_overlap_of_two_regions_is_the_planted_one(space: Space) -> None:
    humans = _humans()
    common = len(humans["guangzhou"] & humans["hongkong"])
    ran = space.query(
        "SELECT count(distinct g.person) AS n FROM guangzhou.patients g "
        "JOIN hongkong.patients h ON g.person = h.person"
    )
    assert ran.code == 0, ran.err
    assert ran.json["rows"] == [[round_count(common, 5)]]
    assert ran.json["shown_by"] == [["guangzhou", "hongkong"]]
    assert [each["status"] for each in ran.json["nodes"]] == ["released", "released"]


def test_a_union_counts_each_human_being_once(space: Space) -> None:
    ran = space.query(
        "SELECT count(distinct person) AS n FROM patients", extra=["--distinct", "union"]
    )
    assert ran.code == 0, ran.err
    everybody = len(set.union(*_humans().values()))
    assert ran.json["rows"] == [[round_count(everybody, 5)]]


def test_a_left_join_tells_who_is_not_there(space: Space) -> None:
    rows = _ask(
        space,
        "SELECT h.region AS here, count(distinct g.person) AS n FROM guangzhou.patients g "
        "LEFT JOIN hongkong.patients h ON g.person = h.person GROUP BY h.region ORDER BY n",
    )
    humans = _humans()
    both = len(humans["guangzhou"] & humans["hongkong"])
    assert rows == [("hongkong", round_count(both, 5)), (None, round_count(PATIENTS - both, 5))]


def test_a_small_overlap_looks_like_none(space: Space) -> None:
    ran = space.query(
        "SELECT count(distinct g.person) AS n FROM guangzhou.conditions g "
        "JOIN macao.conditions m ON g.person = m.person "
        "WHERE g.category = 'diabetes' AND m.category = 'cancer'"
    )
    assert ran.code == 0, ran.err
    assert ran.json["rows"] == []


@pytest.mark.parametrize("tier", ["blind", "keyed"])
def test_febrl_through_sql_is_what_resolving_says(
    space: Space, tier: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = dataset(4)
    found = quality(data)
    rng = np.random.default_rng(1)
    sides = [
        side(
            slots(
                frame["rec_id"],
                {kind: [frame[column]] for kind, column in FIELDS.items()},
                LISTS,
                values_per_list=1,
            ),
            rng,
        )
        for frame in data.frames
    ]
    alike = [np.zeros(len(each), np.int64) for each in sides]
    expected = int(joint_counts(resolve(sides, LISTS), alike).people[0])
    assert _ask(space, INNER, tier=tier) == [(expected,)]
    with capsys.disabled():
        print(
            f"\nfebrl4 through SQL, {tier}: {expected} of {len(data.truth)} people; by pairs "
            f"recall {found.recall:.4f}, precision {found.precision:.4f}"
        )


def test_the_keyed_tier_is_refused_where_the_owner_does_not_allow_it(space: Space) -> None:
    ran = space.query(
        "SELECT count(distinct g.person) AS n FROM guangzhou.patients g "
        "JOIN hongkong.patients h ON g.person = h.person",
        extra=["--tier", "keyed"],
    )
    assert (ran.code, ran.error["rule"]) == (4, "linkage-tier")


def test_each_node_has_committed_before_it_released(space: Space) -> None:
    ran = space.gba(
        "audit", "search", "--kind", "overlap.committed", "--format", "json",
        actor="guangzhou/regulator",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "inputs_commitment" not in ran.err
    assert '"overlap.committed"' in ran.out


ACROSS = (
    "SELECT g.sex, count(distinct g.person) AS n FROM guangzhou.patients g "
    "JOIN hongkong.patients h ON g.person = h.person GROUP BY g.sex"
)
UNION = "SELECT count(distinct person) AS n FROM patients"


@pytest.mark.parametrize(("sql", "more"), [(ACROSS, []), (UNION, ["--distinct", "union"])])
def test_a_release_across_regions_is_proved_offline(
    space: Space, sql: str, more: list[str], tmp_path: Path
) -> None:
    file, trust = tmp_path / "e.evidence", space.home / "macao" / "trust" / "1.dsse"
    ran = space.query(sql, extra=[*more, "--evidence", str(file)])
    assert (ran.code, ran.json["evidence"]) == (0, str(file)), ran.err
    told = run_gba("evidence", "verify", str(file), "--trust", str(trust), "--format", "json")
    assert told.code == 0, told.err
    words = {each["step"]: each["words"] for each in told.json["steps"]}
    assert f"{len(ran.json['rows'])} cells" in words["combination"]
    assert "commitment before its answer" in words["round"]
    again = tmp_path / "again.evidence"
    told = space.gba("audit", "export", ran.json["release"], "--out", str(again),
                     actor="hongkong/regulator")  # fmt: skip
    assert told.code == 0, told.err


def test_decisions_across_regions_are_replayed_and_the_accounts_agree(space: Space) -> None:
    assert space.query(ACROSS).code == 0
    for where in ({"actor": "guangzhou/regulator"}, {}):
        more = [] if where else ["--log", "hongkong"]
        ran = space.gba("policy", "replay", *more, "--format", "json", **where)
        assert ran.code == 0, ran.err
        assert ran.json["decisions"] > 0
        assert ran.json["different"] == 0
    ran = space.gba("audit", "reconcile", "--format", "json")
    assert ran.code == 0, ran.err


# --- deaths ------------------------------------------------------------------------------


class _Asking(threading.Thread):
    """A question in a thread; `hashing` is set when hongkong has begun."""

    def __init__(self, space: Space, stage: str) -> None:
        super().__init__(daemon=True)
        self.space, self.stage = space, stage
        self.reached = threading.Event()
        self.rows: list[tuple[object, ...]] = []
        self.error: DataspaceError | None = None

    def run(self) -> None:
        def on_progress(region: str, stage: str, _: float) -> None:
            if (region, stage) == ("hongkong", self.stage):
                self.reached.set()

        try:
            with connect(self.space.home, "guangzhou/researcher") as session:
                release = session.query(INNER, purpose="HRESCH", on_progress=on_progress)
                self.rows = list(release.answer.rows)
        except DataspaceError as error:
            self.error = error


def test_a_node_that_dies_and_returns_costs_one_more_attempt(space: Space) -> None:
    asking = _Asking(space, "blinding")
    asking.start()
    assert asking.reached.wait(40)
    restart(space, "hongkong", kill=True)
    asking.join(60)
    assert asking.error is None
    assert len(asking.rows) == 1
    await_ready(space)


@pytest.mark.parametrize("stage", ["hashing", "passing"])
def test_a_node_that_dies_for_good_is_named(space: Space, stage: str) -> None:
    asking = _Asking(space, stage)
    asking.start()
    assert asking.reached.wait(40)
    stop(space, "hongkong", kill=True)
    asking.join(60)
    assert isinstance(asking.error, Unavailable)
    assert asking.error.message.startswith("hongkong: ")
    assert not asking.rows
    # What the others had begun is over.
    assert process_of(space, "guangzhou").is_running()
    start_party(space.home, "hongkong")
    await_ready(space)
