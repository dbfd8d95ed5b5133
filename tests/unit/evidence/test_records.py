"""Asks, replies and the column rules of one patient's record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed, Refused, Unverified
from dataspace.evidence.record_asks import RecordAsk, ask_info, ask_of, read_sealed, seal_ask
from dataspace.evidence.record_replies import (
    MOST_BYTES,
    LeftOut,
    RecordTable,
    open_reply,
    read_tables,
    seal_reply,
    write_tables,
)
from dataspace.evidence.record_rules import Question, judge
from dataspace.identity.chains import VerifiedSigner
from dataspace.identity.names import ActorUri
from dataspace.linkage.documents import Document
from dataspace.linkage.sealing import SealingKey
from dataspace.policy.rules import PolicySet
from dataspace.policy.standing import VALID, Narrowed, Standing
from dataspace.policy.store import read_folder
from dataspace.query.product import Column, ColumnType, Offer, Role, Title
from dataspace.v1 import query_pb2, record_pb2
from tests.unit.policy.samples import POLICIES

DOCTOR = ActorUri.parse("gba://macao/hospital/clinician/doc")
KEY = SealingKey.from_seed("x25519", b"n" * 32)
REPLY = SealingKey.from_seed("x25519", b"r" * 32)
SIGNER = Ed25519PrivateKey.from_private_bytes(b"s" * 32).public_key()
CONSENT = "0123456789abcdef" * 2
AT = 1_790_000_000_000


def ask(**changed: Any) -> RecordAsk:
    whole: dict[str, Any] = {
        "documents": (Document.parse("hkid:A123456(3)"),),
        "purpose": "TREAT",
        "consents": (CONSENT,),
        "products": ("allergies", "conditions"),
        "reason": "",
        "reply_key": REPLY.public,
    }
    return RecordAsk(**whole | changed)


def test_an_ask_opens_to_what_was_asked_and_shows_nobody() -> None:
    info = ask_info("hongkong", DOCTOR, bytes(16))
    sealed = seal_ask(ask(), KEY.public, info)
    assert ask_of(read_sealed(KEY.open(sealed, info))) == ask()
    assert "A123456" not in repr(ask())


def test_every_ask_is_of_one_size() -> None:
    documents = tuple(Document("passport", f"AB{number:07d}") for number in range(4))
    sizes = {
        len(seal_ask(each, KEY.public, b""))
        for each in (ask(), ask(documents=documents, reason="x" * 500, purpose="ETREAT"))
    }
    assert len(sizes) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"documents": ()},
        {"documents": (Document.parse("hkid:A123456(3)"),) * 2},
        {"documents": tuple(Document("passport", f"AB{n:07d}") for n in range(5))},
        {"purpose": "SPY"},
        {"products": ()},
        {"products": ("Patients",)},
        {"products": ("patients", "patients")},
        {"consents": ("x",)},
        {"consents": (CONSENT, CONSENT)},
        {"reason": "two\nlines"},
        {"reason": "x" * 501},
    ],
)
def test_an_ask_that_is_not_whole_is_malformed(changed: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        ask(**changed)
    assert "A123456" not in caught.value.message


@pytest.mark.parametrize(
    "other",
    [
        ask_info("macao", DOCTOR, bytes(16)),
        ask_info("hongkong", ActorUri.parse("gba://macao/hospital/clinician/other"), bytes(16)),
        ask_info("hongkong", DOCTOR, bytes(15) + b"\1"),
    ],
    ids=["region", "asker", "nonce"],
)
def test_an_ask_is_bound_to_region_asker_and_request(other: bytes) -> None:
    sealed = seal_ask(ask(), KEY.public, ask_info("hongkong", DOCTOR, bytes(16)))
    with pytest.raises(Unverified) as caught:
        KEY.open(sealed, other)
    assert caught.value.code == "sealed"


_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=20)
    | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.lists(st.tuples(_VALUES, _VALUES), max_size=8))
def test_tables_go_over_the_wire_unchanged(rows: list[tuple[Any, Any]]) -> None:
    kept_back = Refused("kept back", code="policy", rule="r", basis="b")
    tables = (
        RecordTable("a", ("x", "y"), tuple(rows), left_out=(LeftOut("z", kept_back),),
                    rules=("treatment-record",), bases=("law",)),
        RecordTable("b", refused=kept_back),
    )  # fmt: skip
    reply = record_pb2.RecordReply(region="macao", tables=write_tables(tables))
    first, second = read_tables(reply, ["a", "b"])
    assert first.rows == tables[0].rows
    assert (first.columns, first.rules) == (("x", "y"), ("treatment-record",))
    assert first.left_out[0].error.rule == "r"
    assert second.refused is not None


def test_rows_beyond_what_a_reply_holds_are_left_out_and_said_to_be() -> None:
    rows = tuple(("x" * 10_000,) for _ in range(400))
    (wire,) = write_tables([RecordTable("a", ("x",), rows)])
    assert wire.truncated
    assert wire.ByteSize() < MOST_BYTES + 10_000


@pytest.mark.parametrize(
    "table",
    [
        record_pb2.RecordTable(product="b"),
        record_pb2.RecordTable(product="a", columns=["x", "x"]),
        record_pb2.RecordTable(product="a", columns=["x"], rows=[record_pb2.RecordRow()]),
        record_pb2.RecordTable(product="a", rows=[record_pb2.RecordRow()]),
        record_pb2.RecordTable(
            product="a", columns=["x"], refused=query_pb2.ErrorStatus(error="refused")
        ),
    ],
    ids=["another product", "a column twice", "a short row", "rows of nothing", "refused rows"],
)
def test_a_table_of_another_form_is_not_believed(table: record_pb2.RecordTable) -> None:
    with pytest.raises(Unverified):
        read_tables(record_pb2.RecordReply(region="macao", tables=[table]), ["a"])


def test_a_reply_opens_for_its_request_and_region_alone() -> None:
    answer = query_pb2.NodeAnswer(receipt=query_pb2.Receipt(origin="o"))
    sealed = seal_reply(answer, REPLY.public, "macao", b"d" * 32)
    assert open_reply(sealed, REPLY, "macao", b"d" * 32) == answer
    longer = query_pb2.NodeAnswer(receipt=query_pb2.Receipt(entry=b"x" * 100_000))
    assert len(seal_reply(longer, REPLY.public, "macao", b"d" * 32)) == len(sealed)
    for key, region, digest in (
        (KEY, "macao", b"d" * 32), (REPLY, "hongkong", b"d" * 32), (REPLY, "macao", b"e" * 32)
    ):  # fmt: skip
        with pytest.raises(Unverified):
            open_reply(sealed, key, region, digest)


def _offer(**columns: tuple[str, ...] | None) -> Offer:
    """Columns with their categories; None is withheld."""
    return Offer(
        product="conditions",
        title=Title(en="Conditions"),
        columns={
            name: Column(type=ColumnType.VARCHAR, role=Role.WITHHELD if of is None
                         else Role.DIMENSION, categories=of or ())
            for name, of in columns.items()
        },
    )  # fmt: skip


@cache
def _policies() -> PolicySet:
    return read_folder(POLICIES)


def _question(
    consented: Iterable[str] | None = None, purpose: str = "TREAT", **changed: Any
) -> Question:
    """Of a clinician in Macao about Hong Kong; consented to categories, None for all."""
    terms = Narrowed("HK-PDPO+MO-PDPA", None, AT + 1, 30, False, True, True)

    def consent(categories: Iterable[str]) -> str:
        return "valid" if consented is None or set(categories) <= set(consented) else "absent"

    whole: dict[str, Any] = {
        "asker": VerifiedSigner(DOCTOR, b"", SIGNER, ()),
        "region": "hongkong", "purpose": purpose, "emergency": False, "records_this_year": 1,
        "at_ms": AT, "policies": _policies(),
        "agreements": lambda _request, _at: Standing(VALID, ("d",), ("i",), terms),
        "consent": consent,
    }  # fmt: skip
    return Question(**whole | changed)


def test_columns_that_are_withheld_are_never_asked_for() -> None:
    judged = judge(_question(), _offer(icd10=("health",), name=None))
    assert judged.columns == ("icd10",)
    assert not judged.left_out
    assert [set(each.question.columns) for each in judged.decided] == [{"icd10"}]


def test_a_category_on_a_negative_list_keeps_back_its_column_alone() -> None:
    judged = judge(_question(), _offer(icd10=("health",), brca=("genetic",)))
    assert judged.columns == ("icd10",)
    assert [(each.column, each.error.rule) for each in judged.left_out] == [
        ("brca", "gba-health-2024")
    ]
    assert [each.decision.allowed for each in judged.decided] == [True, False]


def test_a_consent_keeps_back_what_it_does_not_name() -> None:
    judged = judge(_question(["health"]), _offer(icd10=("health",), smoker=("lifestyle",)))
    assert judged.columns == ("icd10",)
    assert judged.left_out[0].error.rule == "default-deny"


def test_where_nothing_may_go_the_first_rule_speaks() -> None:
    judged = judge(_question([]), _offer(icd10=("health",)))
    assert judged.columns == ()
    assert judged.refused is not None
    assert judged.refused.rule == "default-deny"


def test_a_product_of_withheld_columns_alone_is_kept_back_whole() -> None:
    judged = judge(_question(), _offer(name=None))
    assert judged.refused is not None
    assert judged.refused.rule == "column-withheld"


def test_an_agreement_over_some_columns_keeps_back_the_others() -> None:
    def agreements(request: Any, _at: int) -> Standing:
        stands = _question().agreements(request, AT)
        return stands if request.columns <= {"icd10"} else Standing("absent")

    judged = judge(_question(agreements=agreements), _offer(icd10=("health",), onset=("health",)))
    assert judged.columns == ("icd10",)
    assert judged.left_out[0].error.rule == "agreement-needed"


def test_an_emergency_needs_neither_agreement_nor_consent() -> None:
    question = _question(
        [], "ETREAT", emergency=True, agreements=lambda _request, _at: Standing("absent")
    )
    judged = judge(question, _offer(icd10=("health",), brca=("genetic",)))
    assert judged.columns == ("icd10",)
    (first, *_) = judged.decided
    assert first.question.legal_basis == "EMERGENCY"


def test_the_years_count_is_put_to_the_rules() -> None:
    judged = judge(replace(_question(), records_this_year=7), _offer(icd10=("health",)))
    assert judged.decided[0].question.records_this_year == 7
