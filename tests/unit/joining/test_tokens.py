"""Keys in a PKCS#11 token (SoftHSM2): they sign as files do, and never leave."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dataspace.audit.entries import Entry
from dataspace.audit.store import LogStore
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.algorithms import ECDSA_P256, ED25519, ML_DSA_44, sign, verify
from dataspace.identity.keystore import SIGNING_CHAIN, SIGNING_KEY, load_chain
from dataspace.tokens import (
    KeyUri,
    TokenKey,
    find_token_key,
    list_token_keys,
    make_token_key,
    parse_key_uri,
)
from tests.spaces import Ran
from tests.unit.joining.steps import gba, install, issue, join, rotate, speaks, with_authority

_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
MODULE = next((each for each in _MODULES if Path(each).exists()), "")
PIN = "739112"

pytestmark = pytest.mark.skipif(
    not MODULE or not shutil.which("softhsm2-util"),
    reason="SoftHSM2 is missing: apt-get install softhsm2",
)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A token store of this process. The module reads its settings once, when it is loaded."""
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "store").mkdir()
    config = folder / "softhsm2.conf"
    settings = {
        "directories.tokendir": folder / "store", "objectstore.backend": "file",
        "log.level": "ERROR",
    }  # fmt: skip
    config.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SOFTHSM2_CONF", str(config))
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", "gba", "--pin", PIN,
             "--so-pin", "5678"],
            check=True, capture_output=True,
        )  # fmt: skip
        yield folder


def pin_file(home: Path, pin: str = PIN) -> Path:
    (home / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
    file = home / "keys/token.pin"
    file.touch(mode=0o600)
    file.write_text(f"{pin}\n")
    return file


def uri_text(label: str) -> str:
    return f"pkcs11:token=gba;object={label}?module-path={MODULE}&pin-source=keys/token.pin"


def place(home: Path, label: str) -> KeyUri:
    pin_file(home)
    return parse_key_uri(uri_text(label), home)


def refusal(kind: type[DataspaceError], code: str, call: Any, *arguments: Any) -> DataspaceError:
    with pytest.raises(kind) as caught:
        call(*arguments)
    assert caught.value.code == code
    return caught.value


@pytest.mark.parametrize("algorithm", [ECDSA_P256, ED25519])
def test_a_key_in_a_token_signs_as_one_in_a_file_does(
    tokens: Path, tmp_path: Path, algorithm: str
) -> None:
    where = place(tmp_path, f"sign-{algorithm}")
    key = make_token_key(where, algorithm)
    for data in (b"", b"x", b"y" * 100_000):
        verify(key.public_key(), sign(key, data), data)
    again = find_token_key(where, key.public_key())
    verify(key.public_key(), sign(again, b"z"), b"z")
    assert find_token_key(where).public_key() == key.public_key()


def exits(key: TokenKey) -> list[Any]:
    found = [lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return [*found, key.private_numbers, lambda: key.exchange(ec.ECDH(), key.public_key())]
    return [*found, key.private_bytes_raw]


@pytest.mark.parametrize("algorithm", [ECDSA_P256, ED25519])
def test_a_key_in_a_token_never_leaves_it(tokens: Path, tmp_path: Path, algorithm: str) -> None:
    key = make_token_key(place(tmp_path, f"stay-{algorithm}"), algorithm)
    for leave in exits(key):
        refusal(Refused, "token-key-stays", leave)
    import pkcs11

    session = pkcs11.lib(MODULE).get_token(token_label="gba").open()
    (held,) = session.get_objects(
        {pkcs11.Attribute.LABEL: f"stay-{algorithm}",
         pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    )  # fmt: skip
    assert held[pkcs11.Attribute.SENSITIVE]
    assert not held[pkcs11.Attribute.EXTRACTABLE]
    session.close()


def test_only_p256_over_sha256_and_ed25519_are_held(tokens: Path, tmp_path: Path) -> None:
    where = place(tmp_path, "odd")
    refusal(Malformed, "token-algorithm", make_token_key, where, ML_DSA_44)
    key = make_token_key(where, ECDSA_P256)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    with pytest.raises(ValueError, match="SHA-256"):
        key.sign(b"x", ec.ECDSA(SHA512()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pkcs11:",
        "file:///keys/signing.key",
        f"pkcs11:token=gba?module-path={MODULE}&pin-source=p",
        f"pkcs11:token=gba;object=x?module-path={MODULE}",
        f"pkcs11:token=gba;object=x?module-path={MODULE}&pin-value=1234",
        f"pkcs11:token=gba;object=x;token=b?module-path={MODULE}&pin-source=p",
        f"pkcs11:token=gba;object=x;slot-id=3?module-path={MODULE}&pin-source=p",
        f"pkcs11:token=gba;object=x;type=cert?module-path={MODULE}&pin-source=p",
    ],
)
def test_a_uri_that_is_not_whole_or_holds_a_pin_is_malformed(tmp_path: Path, text: str) -> None:
    error = refusal(Malformed, "token-uri", parse_key_uri, text, tmp_path)
    assert "1234" not in error.message


def test_a_uri_is_unescaped_as_rfc_7512_has_it(tmp_path: Path) -> None:
    text = "pkcs11:token=The%20token;object=a%3bb;type=private?module-path=/m.so&pin-source=file:/p"
    read = parse_key_uri(text, tmp_path)
    assert read == KeyUri("The token", "a;b", Path("/m.so"), Path("/p"))


def test_a_pin_is_read_from_a_file_that_nobody_else_reads(tokens: Path, tmp_path: Path) -> None:
    where = place(tmp_path, "pins")
    where.pin_file.chmod(0o640)
    fresh = KeyUri("gba", "pins", where.module, where.pin_file)
    refusal(Refused, "keystore-key-mode", make_token_key, fresh, ED25519)
    where.pin_file.chmod(0o600)
    where.pin_file.write_text("000000")
    error = refusal(Refused, "token-pin", make_token_key, where, ED25519)
    assert "000000" not in error.message


def test_what_is_not_there_is_named(tokens: Path, tmp_path: Path) -> None:
    where = place(tmp_path, "absent")
    refusal(Unavailable, "token-key", find_token_key, where)
    other = KeyUri("nowhere", "absent", where.module, where.pin_file)
    refusal(Unavailable, "token", find_token_key, other)
    library = KeyUri("gba", "absent", tmp_path / "no.so", where.pin_file)
    refusal(Unavailable, "token-module", find_token_key, library)


def test_a_public_key_without_its_private_one_is_not_taken(tokens: Path, tmp_path: Path) -> None:
    where = place(tmp_path, "orphan")
    make_token_key(where, ED25519)
    import pkcs11

    session = pkcs11.lib(MODULE).get_token(token_label="gba").open(rw=True)
    for each in session.get_objects(
        {pkcs11.Attribute.LABEL: "orphan", pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    ):
        each.destroy()
    session.close()
    refusal(Unavailable, "token", find_token_key, where)


def home_with_token(space: Path, home: Path, uri: str, name: str, *more: str) -> Ran:
    pin_file(home)
    return join(space, home, uri, "--algorithm", ECDSA_P256, "--signing-key", uri_text(name), *more)


def test_a_node_whose_signing_and_log_keys_are_in_a_token_signs_with_them(
    tokens: Path, space: Path, tmp_path: Path
) -> None:
    home = tmp_path / "node-2"
    uri = "gba://macao/health-authority/node/node-2"
    done = home_with_token(space, home, uri, "node-signing", "--log-key", uri_text("node-log"),
                           "--log-origin", "gba.dataspace/macao/2")  # fmt: skip
    assert done.code == 0, done.err
    assert issue(space, home, tmp_path / "node.pem").code == 0
    assert install(tmp_path / "node.pem", home).code == 0
    assert not (home / SIGNING_KEY).exists()
    assert not (home / "keys/log.key").exists()
    assert PIN not in (home / CONFIG).read_text()
    party = PartyHome(home)
    party.check_whole()
    speaks(home, space)
    with LogStore.open(home / "log", "gba.dataspace/macao/2", party.log_key) as log:
        log.append(Entry("product.loaded", 1, {}))
        assert log.size == 1


def test_keys_in_a_token_rotate_by_their_certificate(
    tokens: Path, space: Path, tmp_path: Path
) -> None:
    home = tmp_path / "maria"
    assert (
        home_with_token(space, home, "gba://macao/university/researcher/maria", "maria").code == 0
    )
    assert join(space, home, "gba://macao/university/researcher/maria", "--algorithm", ECDSA_P256,
                "--signing-key", uri_text("maria")).code == 0  # fmt: skip
    where = parse_key_uri(uri_text("maria"), home)
    assert len(list_token_keys(where)) == 1  # the same key again
    assert issue(space, home, tmp_path / "maria.pem").code == 0
    assert install(tmp_path / "maria.pem", home).code == 0
    first = load_chain(home / SIGNING_CHAIN)[0].public_key()
    assert rotate(home).code == 0
    assert rotate(home).code == 0
    assert len(list_token_keys(where)) == 2
    speaks(home, space)
    assert rotate(home, *with_authority(space)).code == 0
    assert load_chain(home / SIGNING_CHAIN)[0].public_key() != first
    speaks(home, space)
    assert rotate(home, *with_authority(space)).code == 0
    assert len(list_token_keys(where)) == 3


def test_without_the_extra_a_party_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    error = refusal(Unavailable, "token-extra", find_token_key, place(tmp_path, "x"))
    assert "gba-dataspace[pkcs11]" in error.message


def test_a_pin_is_in_no_environment_and_no_argument(tokens: Path) -> None:
    assert all(PIN not in value for value in os.environ.values())
    assert PIN not in Path("/proc/self/cmdline").read_text()
    assert gba("join", "--help").code == 0


def test_of_two_keys_of_a_label_none_is_chosen_by_chance(tokens: Path, tmp_path: Path) -> None:
    where = place(tmp_path, "two")
    one, two = make_token_key(where, ECDSA_P256), make_token_key(where, ECDSA_P256)
    refusal(Unavailable, "token-key", find_token_key, where)
    for key in (one, two):
        assert find_token_key(where, key.public_key()).public_key() == key.public_key()
