from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint, verify_checkpoint
from dataspace.audit.cosignatures import (
    Cosigned,
    add_cosignatures,
    checkpoint_of,
    cosign,
    cosigning_vkey,
    verify_cosignature,
)
from dataspace.audit.notes import (
    COSIGNATURE_ED25519,
    COSIGNATURE_ML_DSA_44,
    Note,
    NoteSignature,
    VerifierKey,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    verify_note,
)
from dataspace.errors import Malformed, Unverified

from .cosigners import GUANGZHOU, MACAO, NOW_S, RegionWitness
from .samples import KEY, ORIGIN, PRIVATE_KEY

VECTORS = Path(__file__).parent / "vectors"
CHECKPOINT = Checkpoint(ORIGIN, 7, bytes(range(32)))
KINDS = {COSIGNATURE_ED25519: GUANGZHOU.keys[0], COSIGNATURE_ML_DSA_44: GUANGZHOU.keys[1]}
# The example of C2SP tlog-cosignature; its witness's key is not published.
EXAMPLE = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2"
    "oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def vector(name: str) -> str:
    return (VECTORS / name).read_text()


def signed_by(kind: int, checkpoint: Checkpoint = CHECKPOINT, at_s: int = NOW_S) -> Note:
    line = cosign(checkpoint, GUANGZHOU.name, KINDS[kind], at_s)
    return Note(checkpoint.to_text(), (line,))


def test_public_witnesses_cosigned_a_public_log() -> None:
    # A checkpoint of the Sigsum test log "barreleye", with the cosignatures of four public
    # witnesses that other implementations made (out of the documents of florolf/spic).
    log_key, *witnesses = map(parse_vkey, vector("sigsum.vkeys").split())
    note, checkpoint = checkpoint_of(vector("sigsum-cosigned.note"))
    verify_note(note, log_key)
    assert checkpoint.size == 17157
    for key in witnesses:
        assert verify_cosignature(note, checkpoint, key) == Cosigned(key, 1765558886)
        with pytest.raises(Unverified, match="does not hold"):
            verify_cosignature(note, replace(checkpoint, size=17158), key)


def test_an_ml_dsa_44_signature_of_another_implementation_holds() -> None:
    # Key and checkpoint of filippo.io/torchwood, cmd/litewitness/testdata/mldsa.txt: a log
    # that signs with type 0x06 and says nothing of when.
    key = parse_vkey(vector("mldsa-log.vkey").strip())
    note, checkpoint = checkpoint_of(vector("mldsa-log.note"))
    assert key.kind == COSIGNATURE_ML_DSA_44
    assert verify_cosignature(note, checkpoint, key) == Cosigned(key, 0)
    with pytest.raises(Unverified, match="does not hold"):
        verify_cosignature(note, replace(checkpoint, size=2), key)


def test_the_example_of_the_specification_carries_its_time() -> None:
    (line,) = parse_signature_lines(EXAMPLE)
    assert (line.name, line.keyid.hex()) == ("witness.example.com/w1", "8d66cf3f")
    assert int.from_bytes(line.signature[:8], "big") == 1679315147
    assert len(line.signature) == 8 + 64


def test_what_is_signed_is_what_the_specification_says() -> None:
    class Recorder:
        message = b""

        def public_key(self) -> Recorder:
            return self

        def public_bytes_raw(self) -> bytes:
            return bytes(1312)

        def sign(self, message: bytes) -> bytes:
            self.message = message
            return bytes(2420)

    recorder = Recorder()
    cosign(CHECKPOINT, "w1", recorder, 0x0102)  # type: ignore[arg-type]  # stands in for a key
    assert recorder.message == (
        b"subtree/v1\n\x00\x02w1\x00\x00\x00\x00\x00\x00\x01\x02"
        + bytes([len(ORIGIN)]) + ORIGIN.encode()
        + bytes(8) + b"\x00\x00\x00\x00\x00\x00\x00\x07" + bytes(range(32))
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(size=st.integers(1, 2**63 - 1), root=st.binary(min_size=32, max_size=32),
       at_s=st.integers(0, 2**63 - 1))  # fmt: skip
def test_a_cosignature_is_read_back(kind: int, size: int, root: bytes, at_s: int) -> None:
    checkpoint = Checkpoint(ORIGIN, size, root)
    key = cosigning_vkey(GUANGZHOU.name, KINDS[kind])
    note = parse_note(signed_by(kind, checkpoint, at_s).to_text())
    assert verify_cosignature(note, checkpoint, key) == Cosigned(key, at_s)
    assert parse_vkey(key.to_text()) == key


@pytest.mark.parametrize("kind", KINDS)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found(kind: int, place: float, bit: int) -> None:
    # Times too: a witness's time decides whose certificates had expired.
    note = signed_by(kind)
    data = bytearray(note.signatures[0].signature)
    data[int(place * len(data))] ^= 1 << bit
    line = replace(note.signatures[0], signature=bytes(data))
    with pytest.raises(Unverified) as caught:
        verify_cosignature(
            replace(note, signatures=(line,)), CHECKPOINT, cosigning_vkey(line.name, KINDS[kind])
        )
    assert caught.value.code == "cosignature"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "other",
    [
        replace(CHECKPOINT, size=8),
        replace(CHECKPOINT, origin="gba.example/macao/node"),
        replace(CHECKPOINT, root=bytes(32)),
    ],
)
def test_a_cosignature_speaks_for_one_checkpoint_alone(kind: int, other: Checkpoint) -> None:
    moved = replace(signed_by(kind), text=other.to_text())
    with pytest.raises(Unverified, match="does not hold"):
        verify_cosignature(moved, other, cosigning_vkey(GUANGZHOU.name, KINDS[kind]))


def test_an_ml_dsa_cosignature_speaks_for_its_witness_name_alone() -> None:
    line = signed_by(COSIGNATURE_ML_DSA_44).signatures[0]
    other = cosigning_vkey("gba.example/witness/other", KINDS[COSIGNATURE_ML_DSA_44])
    renamed = NoteSignature(other.name, other.keyid, line.signature)
    with pytest.raises(Unverified, match="does not hold"):
        verify_cosignature(Note(CHECKPOINT.to_text(), (renamed,)), CHECKPOINT, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 8), slice(8, None), slice(1, None)])
def test_a_cosignature_of_another_length_is_refused(kind: int, cut: slice) -> None:
    note = signed_by(kind)
    line = replace(note.signatures[0], signature=note.signatures[0].signature[cut])
    with pytest.raises(Unverified, match="not one of its kind"):
        verify_cosignature(
            replace(note, signatures=(line,)), CHECKPOINT, cosigning_vkey(line.name, KINDS[kind])
        )


def test_a_time_that_is_no_time_is_refused() -> None:
    for at_s in (-1, 2**63):
        with pytest.raises(Malformed):
            cosign(CHECKPOINT, GUANGZHOU.name, GUANGZHOU.keys[0], at_s)


def test_a_name_that_does_not_fit_is_not_signed_for() -> None:
    with pytest.raises(Unverified, match="1 to 255 bytes"):
        cosign(CHECKPOINT, "w" * 256, GUANGZHOU.keys[1], NOW_S)


def test_a_stranger_says_nothing() -> None:
    note = signed_by(COSIGNATURE_ED25519)
    assert verify_cosignature(note, CHECKPOINT, MACAO.vkeys[0]) is None


def test_a_logs_key_cosigns_nothing_and_a_witness_key_signs_no_log() -> None:
    note = parse_note(sign_checkpoint(CHECKPOINT, PRIVATE_KEY))
    with pytest.raises(Unverified, match="not one of its kind"):
        verify_cosignature(note, CHECKPOINT, KEY)
    for key in GUANGZHOU.vkeys:
        with pytest.raises(Unverified, match="witness's key"):
            verify_checkpoint(note.to_text(), VerifierKey(ORIGIN, key.public, key.kind))


def test_lines_are_added_once_for_each_key_and_the_owners_stays() -> None:
    note = sign_checkpoint(CHECKPOINT, PRIVATE_KEY)
    early, late = GUANGZHOU.lines(CHECKPOINT, 5), GUANGZHOU.lines(CHECKPOINT, 9)
    text = add_cosignatures(add_cosignatures(note, early), [*late, *MACAO.lines(CHECKPOINT)])
    assert len(parse_note(text).signatures) == 1 + 2 + 2
    assert verify_checkpoint(text, KEY) == CHECKPOINT
    found = [verify_cosignature(parse_note(text), CHECKPOINT, key) for key in GUANGZHOU.vkeys]
    assert [each.at_s for each in found if each] == [9, 9]
    with pytest.raises(Unverified, match="does not sign for the log"):
        add_cosignatures(note, [parse_note(note).signatures[0].line])


@pytest.mark.parametrize(
    ("kind", "says"),
    [(0x02, "ECDSA"), (0x05, "static-ct"), (0xFF, "without a number"), (0x07, "unknown")],
)
def test_a_key_of_a_type_that_is_not_supported_is_named(kind: int, says: str) -> None:
    with pytest.raises(Unverified, match=f"0x{kind:02x} .*{says}"):
        VerifierKey("rome.ct.example.com", bytes(32), kind)


@pytest.mark.parametrize("text", ["", "\n", EXAMPLE[:-1], EXAMPLE + "\n", EXAMPLE + "x\n", "x\n"])
def test_signature_lines_in_any_other_spelling_are_refused(text: str) -> None:
    with pytest.raises(Unverified):
        parse_signature_lines(text)


def test_the_two_kinds_of_one_witness_are_two_keys() -> None:
    both = RegionWitness("w", GUANGZHOU.keys).vkeys
    assert [key.kind for key in both] == [COSIGNATURE_ED25519, COSIGNATURE_ML_DSA_44]
    assert both[0].keyid != both[1].keyid
