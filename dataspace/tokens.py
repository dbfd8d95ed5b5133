"""Signing and log keys in a PKCS#11 token. Rim: loads the token's module, and reads a PIN file.

    signing_key = "pkcs11:token=gba;object=signing?module-path=/usr/lib/x.so&pin-source=keys/pin"

The URI (RFC 7512) stands in party.toml; the PIN is in a file that its owner alone may read, and
never in the URI, an argument or the environment. A key is made in the token and never leaves
it. Keys of one label differ by CKA_ID, which is made of the public key: the certificate in
`certs/` so decides which of them signs, and a new one takes over when its certificate does.

Supported: ECDSA P-256 (CKM_ECDSA, the digest made here) and Ed25519 (CKM_EDDSA, PKCS#11 v3,
which not every token has). TLS keys and ML-DSA keys stay files.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.errors import Malformed, Refused, Unavailable, Unverified
from dataspace.identity.algorithms import ECDSA_P256, ED25519, algorithm_of, verify
from dataspace.identity.keystore import read_secret

if TYPE_CHECKING:
    from types import ModuleType

SCHEME = "pkcs11:"
_P256, _EDWARDS = "secp256r1", "1.3.101.112"  # id-Ed25519, RFC 8410
_PATH = {"token", "object", "type"}
_QUERY = {"module-path", "pin-source"}
_ID_BYTES = 20

T = TypeVar("T")


@dataclass(frozen=True)
class KeyUri:
    """Where keys of one label are: token, label, the module to load, and the file of the PIN."""

    token: str
    label: str
    module: Path
    pin_file: Path


def parse_key_uri(text: str, home: Path) -> KeyUri:
    """A PKCS#11 URI as party.toml has it; a relative PIN file is looked for in `home`.

    `Malformed` for attributes that are not known here; all of them select something, and one that
    is passed over would select something else.
    """
    path, _, query = text.removeprefix(SCHEME).partition("?")
    values = {**_attributes(path, ";", _PATH), **_attributes(query, "&", _QUERY)}
    missing = [each for each in ("token", "object", *sorted(_QUERY)) if not values.get(each)]
    if not text.startswith(SCHEME) or missing or values.get("type", "private") != "private":
        raise _bad_uri(f"it needs {', '.join(missing) or 'the scheme pkcs11: and a private key'}")
    pin = Path(values["pin-source"].removeprefix("file:"))
    return KeyUri(values["token"], values["object"], Path(values["module-path"]), home / pin)


def make_token_key(uri: KeyUri, algorithm: str) -> TokenKey:
    """A new key in the token, beside those of the same label."""
    pkcs11 = _library()
    curve, mechanism, kind = {
        ECDSA_P256: (_P256, "EC_KEY_PAIR_GEN", "EC"),
        ED25519: (_EDWARDS, "EC_EDWARDS_KEY_PAIR_GEN", "EC_EDWARDS"),
    }.get(algorithm) or _unsupported(algorithm)

    def make(session: Any) -> bytes:
        from pkcs11.util.ec import encode_named_curve_parameters  # noqa: PLC0415

        attribute = pkcs11.Attribute
        parameters = session.create_domain_parameters(
            pkcs11.KeyType[kind],
            {attribute.EC_PARAMS: encode_named_curve_parameters(curve)},
            local=True,
        )
        public, private = parameters.generate_keypair(
            mechanism=pkcs11.Mechanism[mechanism], store=True, label=uri.label,
            id=secrets.token_bytes(_ID_BYTES),
            private_template={attribute.SENSITIVE: True, attribute.EXTRACTABLE: False},
        )  # fmt: skip
        made = key_id(_public_of(public, pkcs11))
        public[attribute.ID] = private[attribute.ID] = made
        return made

    made = _TOKENS.use(uri, make, write=True)
    return _opened(uri, made)


def find_token_key(uri: KeyUri, public_key: PublicKeyTypes | None = None) -> TokenKey:
    """The key that belongs to a public key; without one, the only key of the label.

    Raises `Unavailable` where the token, its module or the key is not there.
    """
    return _opened(uri, key_id(public_key) if public_key is not None else None)


def key_id(public_key: PublicKeyTypes) -> bytes:
    """The CKA_ID of a key: the first 20 bytes of SHA-256 over its SubjectPublicKeyInfo."""
    der = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()[:_ID_BYTES]


def list_token_keys(uri: KeyUri) -> tuple[PublicKeyTypes, ...]:
    """The public halves of all keys of the label."""
    pkcs11 = _library()

    def find(session: Any) -> tuple[PublicKeyTypes, ...]:
        named = {
            pkcs11.Attribute.LABEL: uri.label,
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY,
        }
        return tuple(_public_of(each, pkcs11) for each in session.get_objects(named))

    return _TOKENS.use(uri, find)


class TokenP256Key(ec.EllipticCurvePrivateKey):
    """An ECDSA P-256 key that stays in its token. Signs, and does nothing else."""

    def __init__(self, uri: KeyUri, public: ec.EllipticCurvePublicKey) -> None:
        self._uri, self._public, self._id = uri, public, key_id(public)

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """DER `Ecdsa-Sig-Value` over SHA-256 of `data`."""
        chosen = signature_algorithm.algorithm
        if not isinstance(signature_algorithm, ec.ECDSA) or not isinstance(chosen, hashes.SHA256):
            raise ValueError("a key of the space signs with ECDSA over SHA-256")
        raw = _sign(self._uri, self._id, "ECDSA", hashlib.sha256(data).digest())
        half = len(raw) // 2
        return encode_dss_signature(
            int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        )

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public.curve

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def exchange(self, *_: object) -> NoReturn:
        _stays()

    def private_numbers(self) -> NoReturn:
        _stays()

    def private_bytes(self, *_: object) -> NoReturn:
        _stays()

    def __copy__(self) -> TokenP256Key:
        return self

    def __deepcopy__(self, _: object) -> TokenP256Key:
        return self


class TokenEd25519Key(ed25519.Ed25519PrivateKey):
    """An Ed25519 key that stays in its token. Signs, and does nothing else."""

    def __init__(self, uri: KeyUri, public: ed25519.Ed25519PublicKey) -> None:
        self._uri, self._public, self._id = uri, public, key_id(public)

    def sign(self, data: Any) -> bytes:
        """64 bytes, as RFC 8032 has them."""
        return _sign(self._uri, self._id, "EDDSA", bytes(data))

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._public

    def private_bytes(self, *_: object) -> NoReturn:
        _stays()

    def private_bytes_raw(self) -> NoReturn:
        _stays()

    def __copy__(self) -> TokenEd25519Key:
        return self

    def __deepcopy__(self, _: object) -> TokenEd25519Key:
        return self


TokenKey = TokenP256Key | TokenEd25519Key


class _Tokens:
    """The open session of each token. PKCS#11 sessions belong to one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[tuple[Path, str], Any] = {}

    def use(self, uri: KeyUri, do: Callable[[Any], T], *, write: bool = False) -> T:
        """`do` with the token's session; once more with a new one where the old one is gone."""
        pkcs11 = _library()
        with self._lock:
            where = (uri.module, uri.token)
            known = None if write else self._open.get(where)
            if known is not None:
                try:
                    return do(known)
                except pkcs11.PKCS11Error:
                    pass  # the token was taken out, or its module began anew
            self._drop(where)
            try:
                session = self._open[where] = self._login(uri, pkcs11, write)
                return do(session)
            except pkcs11.PKCS11Error as error:
                self._drop(where)
                raise _failed(uri, error) from None

    def _login(self, uri: KeyUri, pkcs11: ModuleType, write: bool) -> Any:
        try:
            library = pkcs11.lib(str(uri.module))
        except (RuntimeError, OSError):
            raise Unavailable(
                f"the PKCS#11 module {uri.module} cannot be loaded; install the token's "
                "library, or correct module-path in party.toml",
                code="token-module",
            ) from None
        pin = read_secret(uri.pin_file).decode().strip()
        return library.get_token(token_label=uri.token).open(user_pin=pin, rw=write)

    def _drop(self, where: tuple[Path, str]) -> None:
        session = self._open.pop(where, None)
        if session is not None:
            with suppress(Exception):  # it is gone already
                session.close()


_TOKENS = _Tokens()


def _opened(uri: KeyUri, wanted: bytes | None) -> TokenKey:
    pkcs11 = _library()

    def find(session: Any) -> PublicKeyTypes:
        named = {
            pkcs11.Attribute.LABEL: uri.label,
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY,
        }
        if wanted is not None:
            named[pkcs11.Attribute.ID] = wanted
        found = list(session.get_objects(named))
        if len(found) != 1:
            raise Unavailable(
                f"the token {uri.token} holds {len(found)} fitting keys {uri.label}, not one; "
                "make one with `gba identity request`, or remove those that are not in use",
                code="token-key",
            )
        return _public_of(found[0], pkcs11)

    public = _TOKENS.use(uri, find)
    key: TokenKey
    if isinstance(public, ec.EllipticCurvePublicKey):
        key = TokenP256Key(uri, public)
    else:
        assert isinstance(public, ed25519.Ed25519PublicKey)
        key = TokenEd25519Key(uri, public)
    _prove(key)
    return key


def _prove(key: TokenKey) -> None:
    """That the private key is there and fits: objects of a token are only named alike."""
    test = b"gba: does this key sign? " + secrets.token_bytes(16)
    signature = (
        key.sign(test, ec.ECDSA(hashes.SHA256()))
        if isinstance(key, TokenP256Key)
        else key.sign(test)
    )
    try:
        verify(key.public_key(), signature, test)
    except (Unverified, InvalidSignature):
        raise Unavailable(
            "a key of the token does not sign as its public half says; make a new one",
            code="token-key",
        ) from None


def _sign(uri: KeyUri, wanted: bytes, mechanism: str, data: bytes) -> bytes:
    pkcs11 = _library()

    def sign(session: Any) -> bytes:
        key = session.get_key(
            object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=uri.label, id=wanted
        )
        return bytes(key.sign(data, mechanism=pkcs11.Mechanism[mechanism]))

    return _TOKENS.use(uri, sign)


def _public_of(public: Any, pkcs11: ModuleType) -> PublicKeyTypes:
    """The public half, from CKA_EC_POINT: an OCTET STRING, which some tokens leave out."""
    point = bytes(public[pkcs11.Attribute.EC_POINT])
    edwards = public[pkcs11.Attribute.KEY_TYPE] == pkcs11.KeyType.EC_EDWARDS
    size = 32 if edwards else 65
    if len(point) == size + 2 and point[:2] == bytes((0x04, size)):
        point = point[2:]
    try:
        key: PublicKeyTypes = (
            ed25519.Ed25519PublicKey.from_public_bytes(point)
            if edwards
            else ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        )
    except ValueError:
        raise Malformed(
            "a key of the token is neither P-256 nor Ed25519; make one with `gba identity request`",
            code="token-key",
        ) from None
    algorithm_of(key)
    return key


def _library() -> ModuleType:
    try:
        import pkcs11  # noqa: PLC0415 - an extra
    except ImportError:
        raise Unavailable(
            "keys in a token need an extra: pip install 'gba-dataspace[pkcs11]'", code="token-extra"
        ) from None
    return pkcs11


def _attributes(text: str, divider: str, known: set[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in text.split(divider) if each]
    names = [name for name, _, _ in pairs]
    if len(names) != len(set(names)):
        raise _bad_uri("an attribute stands in it twice")
    if "pin-value" in names:
        # SECURITY: party.toml is copied about, and shown by `gba doctor` and support.
        raise _bad_uri(
            "a PIN does not stand in it; put it into a file of mode 0600, and pin-source"
        )
    unknown = sorted(set(names) - known)
    if unknown:
        raise _bad_uri(f"{', '.join(unknown)[:80]} is not supported")
    return {name: unquote(value) for name, _, value in pairs}


def _failed(uri: KeyUri, error: Exception) -> Unavailable | Refused:
    kind = type(error).__name__
    if kind.startswith("Pin"):
        return Refused(
            f"the token {uri.token} does not take the PIN in {uri.pin_file} ({kind}); correct it: "
            "most tokens lock after a few tries",
            code="token-pin",
            rule="token-pin",
            basis="space rule: keys",
        )
    return Unavailable(
        f"the token {uri.token} does not answer ({kind}); see that it is there and unlocked",
        code="token",
    )


def _bad_uri(what: str) -> Malformed:
    return Malformed(
        f"this PKCS#11 URI cannot be used: {what}; write it as pkcs11:token=NAME;object=LABEL"
        "?module-path=FILE&pin-source=FILE",
        code="token-uri",
    )


def _unsupported(algorithm: str) -> NoReturn:
    raise Malformed(
        f"tokens hold {ECDSA_P256} and {ED25519} keys here, no {algorithm}", code="token-algorithm"
    )


def _stays() -> NoReturn:
    raise Refused(
        "a key in a token signs, and never leaves it",
        code="token-key-stays",
        rule="token-key-stays",
        basis="space rule: keys",
    )
