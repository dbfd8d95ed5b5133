from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.checkpoints import (
    Checkpoint,
    parse_checkpoint,
    sign_checkpoint,
    verify_checkpoint,
)
from dataspace.audit.merkle import EMPTY_ROOT, leaf_hash
from dataspace.audit.notes import parse_note, sign_note, verifier_key
from dataspace.audit.receipts import verify_receipt
from dataspace.errors import Unverified

from .samples import KEY, ORIGIN, OTHER_PRIVATE_KEY, PRIVATE_KEY, entry

# The example of C2SP tlog-checkpoint.
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""  # noqa: E501  the specification's own line
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def test_the_example_of_the_specification_is_read() -> None:
    note = parse_note(EXAMPLE)
    checkpoint = parse_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.to_text() == note.text
    assert note.to_text() == EXAMPLE


@given(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_signed_checkpoint_is_read_back(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    assert verify_checkpoint(sign_checkpoint(checkpoint, PRIVATE_KEY), KEY) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n",
        f"log\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n 1\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n١\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{ROOT[:-5]}\n",
        f"log\n1\n{ROOT}\nextension\n",
        f"log\n1\n{ROOT}\n\n",
        f"log\n9223372036854775808\n{ROOT}\n",
        f"log\n0\n{ROOT}\n",
        f"log\n1\n{ROOT.replace('2I=', '2J=')}\n",
        f"log\n{'9' * 5000}\n{ROOT}\n",
    ],
)
def test_a_checkpoint_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(Unverified):
        parse_checkpoint(text)


def test_a_checkpoint_for_another_log_of_the_same_owner_is_refused() -> None:
    text = Checkpoint("gba.example/other", 0, EMPTY_ROOT).to_text()
    with pytest.raises(Unverified, match="may not speak for"):
        verify_checkpoint(sign_note(text, ORIGIN, PRIVATE_KEY).to_text(), KEY)


def test_a_checkpoint_signed_by_another_key_is_refused() -> None:
    text = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), OTHER_PRIVATE_KEY)
    with pytest.raises(Unverified):
        verify_checkpoint(text, KEY)


def test_a_receipt_proves_its_entry_and_no_other() -> None:
    root = leaf_hash(entry(1))
    text = sign_checkpoint(Checkpoint(ORIGIN, 1, root), PRIVATE_KEY)
    assert verify_receipt(entry(1), 0, (), text, KEY).size == 1
    stranger = verifier_key(ORIGIN, OTHER_PRIVATE_KEY)
    refused = [
        (entry(2), 0, (), text, KEY),
        (entry(1), 1, (), text, KEY),
        (entry(1), 0, (root,), text, KEY),
        (entry(1), 0, (), text, stranger),
        (entry(1), 0, (), text.replace("\n1\n", "\n2\n"), KEY),
    ]
    for case in refused:
        with pytest.raises(Unverified):
            verify_receipt(*case)
