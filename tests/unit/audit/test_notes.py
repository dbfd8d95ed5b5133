from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.notes import (
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    VerifierKey,
    parse_note,
    parse_vkey,
    sign_note,
    verifier_key,
    verify_note,
)
from dataspace.errors import Unverified

from .samples import KEY, OTHER_PRIVATE_KEY, PRIVATE_KEY

# The example of the Go reference implementation, golang.org/x/mod/sumdb/note.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
NOTE = TEXT + "\n" + LINE

NAMES = st.text(min_size=1, max_size=20).filter(
    lambda name: (
        not any(each.isspace() or each == "+" or each < " " for each in name) and name.isprintable()
    )
)
TEXTS = st.lists(st.text("abc—政\x7f ", max_size=9)).map(lambda lines: "\n".join(lines) + "\n")
SIGNATURES = st.builds(
    NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80)
)


def test_the_reference_note_verifies() -> None:
    note = parse_note(NOTE)
    assert note.text == TEXT
    verify_note(note, parse_vkey(VKEY))


def test_the_reference_note_is_signed_byte_for_byte() -> None:
    private_key = Ed25519PrivateKey.from_private_bytes(SEED)
    assert sign_note(TEXT, "PeterNeumann", private_key).to_text() == NOTE
    assert verifier_key("PeterNeumann", private_key).to_text() == VKEY


@given(TEXTS, st.lists(SIGNATURES, min_size=1, max_size=5, unique_by=lambda s: (s.name, s.keyid)))
def test_a_note_gives_its_parts_back(text: str, signatures: list[NoteSignature]) -> None:
    note = Note(text, tuple(signatures))
    assert parse_note(note.to_text()) == note


@given(st.binary(min_size=32, max_size=32), NAMES)
def test_a_verifier_key_is_read_back(public: bytes, name: str) -> None:
    key = VerifierKey(name, public)
    assert parse_vkey(key.to_text()) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        TEXT,
        TEXT + "\n",
        TEXT + LINE,
        TEXT + "\n" + LINE[:-1],
        NOTE.replace("\n", "\r\n"),
        NOTE + "\n",
        NOTE + LINE,
        NOTE + "x\n",
        NOTE + "\r",
        NOTE.replace("you", "y\tou"),
        NOTE.replace("you", "y\x00ou"),
        NOTE.replace("you", "y\udc80"),
        NOTE.replace("— P", "—P"),
        NOTE.replace("— P", "- P"),
        NOTE.replace("— P", "—  P"),
        NOTE.replace("Neumann x", "Neumann  x"),
        NOTE.replace("Neumann x", "Neu mann x"),
        NOTE.replace("Neumann x", "Neu\u00a0mann x"),
        NOTE.replace("Neumann x", "Neu+mann x"),
        NOTE.replace("PeterNeumann", ""),
        NOTE.replace("nAM=", "nAM"),
        NOTE.replace("nAM=", "nAN="),
        NOTE.replace("nAM=", "nAM=="),
        NOTE.replace("nAM=\n", "nAM= \n"),
        NOTE.replace("x08go/", "x08go_"),
        TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + "\n— PeterNeumann x08g\n",
        TEXT + "\n— PeterNeumann \n",
        TEXT
        + "\n"
        + "".join(LINE.replace("Peter", f"Peter{n}") for n in range(MAX_SIGNATURES + 1)),
    ],
)
def test_a_note_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(Unverified):
        parse_note(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        VKEY + "=",
        VKEY[:-1],
        VKEY[:-4],
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("c74f20a3", "C74F20A3"),
        VKEY.replace("c74f20a3", "0c74f20a3"),
        VKEY.replace("Peter", "Peter "),
        VKEY + "\n",
        VKEY.replace("PeterNeumann", ""),
        "PeterNeumann+c74f20a3+",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # unknown kind
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
    ],
)
def test_a_verifier_key_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(Unverified):
        parse_vkey(text)


def test_a_note_of_another_key_is_refused() -> None:
    note = sign_note("text\n", KEY.name, OTHER_PRIVATE_KEY)
    with pytest.raises(Unverified, match="not signed by"):
        verify_note(note, KEY)


def test_a_changed_text_is_refused() -> None:
    note = sign_note("text\n", KEY.name, PRIVATE_KEY)
    with pytest.raises(Unverified, match="does not hold"):
        verify_note(Note("Text\n", note.signatures), KEY)


def test_a_key_that_only_shares_its_id_is_refused() -> None:
    forged = sign_note("text\n", KEY.name, OTHER_PRIVATE_KEY).signatures[0]
    note = Note("text\n", (NoteSignature(KEY.name, KEY.keyid, forged.signature),))
    with pytest.raises(Unverified, match="does not hold"):
        verify_note(note, KEY)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    own = sign_note("text\n", KEY.name, PRIVATE_KEY)
    stranger = NoteSignature("witness.example", b"\x01\x02\x03\x04", b"cosignature")
    verify_note(parse_note(Note("text\n", (stranger, *own.signatures)).to_text()), KEY)


def test_only_text_that_ends_in_a_newline_is_signed() -> None:
    for text in ("", "text", "te\rxt\n"):
        with pytest.raises(Unverified):
            sign_note(text, KEY.name, PRIVATE_KEY)
