from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate

from dataspace.errors import Malformed, Refused, Unavailable, Unverified
from dataspace.identity import keystore
from dataspace.identity.algorithms import ALGORITHMS
from dataspace.identity.envelopes import SigningIdentity

from .world import Space, make_tls, refusal, spki


def write_party(directory: Path, space: Space, identity: SigningIdentity) -> None:
    tls = make_tls(space.members["hongkong"], str(identity.uri))
    keystore.write_private_key(directory / keystore.SIGNING_KEY, identity.private_key)
    keystore.write_chain(
        directory / keystore.SIGNING_CHAIN,
        [load_der_x509_certificate(one) for one in identity.chain_der],
    )
    keystore.write_private_key(directory / keystore.TLS_KEY, tls.key)
    keystore.write_chain(
        directory / keystore.TLS_CHAIN,
        [tls.certificate, space.members["hongkong"].certificate],
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_reads_back_from_its_file(tmp_path: Path, algorithm: str) -> None:
    key = keystore.generate_private_key(algorithm)
    keystore.write_private_key(tmp_path / "deep" / "a.key", key)
    loaded = keystore.load_private_key(tmp_path / "deep" / "a.key")
    assert spki(loaded) == spki(key)


def test_a_party_reads_back_from_its_directory(tmp_path: Path, space: Space) -> None:
    identity = space.actor()
    write_party(tmp_path, space, identity)
    loaded = keystore.load_identity(tmp_path)
    assert (loaded.uri, loaded.chain_der) == (identity.uri, identity.chain_der)
    tls = keystore.load_tls(tmp_path)
    assert load_pem_private_key(tls.key_pem, None)
    assert tls.chain_pem.count(b"BEGIN CERTIFICATE") == 2
    assert "PRIVATE" not in repr(tls)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_key_file_is_its_owners_alone_from_its_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    modes: list[int] = []
    real_open = os.open

    def watched(path: Any, flags: int, *args: Any, **more: Any) -> int:
        descriptor = real_open(path, flags, *args, **more)
        if flags & os.O_CREAT:
            assert flags & os.O_EXCL
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    old = os.umask(umask)
    try:
        keystore.write_private_key(tmp_path / "a.key", keystore.generate_private_key("ed25519"))
    finally:
        os.umask(old)
    assert modes == [0o600]
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a.key"]


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    path, first = tmp_path / "a.key", keystore.generate_private_key("ed25519")
    keystore.write_private_key(path, first)
    second = keystore.generate_private_key("ed25519")
    refusal(Refused, "keystore-no-overwrite", keystore.write_private_key, path, second)
    assert spki(keystore.load_private_key(path)) == spki(first)
    assert os.listdir(tmp_path) == ["a.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_key_that_others_may_touch_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    keystore.write_private_key(path, keystore.generate_private_key("ed25519"))
    path.chmod(mode)
    error = refusal(Refused, "keystore-key-mode", keystore.load_private_key, path)
    assert "chmod 600" in error.message


def test_a_key_that_others_may_read_serves_neither_signing_nor_tls(
    tmp_path: Path, space: Space
) -> None:
    write_party(tmp_path, space, space.actor())
    for path in (keystore.SIGNING_KEY, keystore.TLS_KEY):
        (tmp_path / path).chmod(0o640)
    refusal(Refused, "keystore-key-mode", keystore.load_identity, tmp_path)
    refusal(Refused, "keystore-key-mode", keystore.load_tls, tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for load in (keystore.load_identity, keystore.load_tls):
        error = refusal(Unavailable, "key-missing", load, tmp_path)
        assert str(tmp_path) in error.message


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_malformed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)
    refusal(Malformed, "bad-key-file", keystore.load_private_key, path)


def test_a_key_of_an_unknown_kind_is_unverified(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(
        ed448.Ed448PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    path.chmod(0o600)
    refusal(Unverified, "unknown-algorithm", keystore.load_private_key, path)


def test_a_chain_is_replaced_whole(tmp_path: Path, space: Space) -> None:
    path = tmp_path / "chain.pem"
    for region in ("hongkong", "macao"):
        chain = (space.members[region].certificate, space.roots[region].certificate)
        keystore.write_chain(path, chain)
        assert keystore.load_chain(path) == chain
    assert os.listdir(tmp_path) == ["chain.pem"]


@pytest.mark.parametrize("content", [b"", b"no certificate"])
def test_a_file_without_certificates_is_malformed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(content)
    refusal(Malformed, "bad-chain-file", keystore.load_chain, path)


def test_a_key_beside_anothers_certificate_is_malformed(tmp_path: Path, space: Space) -> None:
    write_party(tmp_path, space, space.actor())
    for path in (keystore.SIGNING_KEY, keystore.TLS_KEY):
        (tmp_path / path).unlink()
        other = keystore.generate_private_key("ecdsa-p256-sha256")
        keystore.write_private_key(tmp_path / path, other)
    refusal(Malformed, "bad-identity", keystore.load_identity, tmp_path)
    refusal(Malformed, "bad-identity", keystore.load_tls, tmp_path)
