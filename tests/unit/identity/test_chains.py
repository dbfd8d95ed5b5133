from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from dataspace.errors import DataspaceError, Refused, Unverified
from dataspace.identity.certificates import issue_root
from dataspace.identity.chains import VerifiedSigner, verify_chain, verify_tls_peer

from .world import (
    BEGIN,
    END,
    NOW,
    Authority,
    Space,
    der,
    forge_leaf,
    make_member,
    make_root,
    make_signing,
    make_tls,
    pem,
    refusal,
)

ANA = "gba://hongkong/h1/researcher/ana"
ANA_NAME = x509.UniformResourceIdentifier(ANA)
BOB_NAME = x509.UniformResourceIdentifier("gba://hongkong/h1/regulator/bob")
NOT_CA = (x509.BasicConstraints(ca=False, path_length=None), True)
SAN = (x509.SubjectAlternativeName([ANA_NAME]), True)
CLIENT = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
SERVER = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
PROFILE = "identity-certificate-profile"


def usage(*, digital_signature: bool = True, key_cert_sign: bool = False) -> tuple[Any, bool]:
    return (
        x509.KeyUsage(
            digital_signature=digital_signature,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=not digital_signature,
            key_cert_sign=key_cert_sign,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        ),
        True,
    )


def roots(space: Space) -> dict[str, tuple[x509.Certificate, ...]]:
    return {region: (root.certificate,) for region, root in space.roots.items()}


def chain(leaf: Authority, authority: Authority) -> tuple[bytes, bytes]:
    return der(leaf.certificate), der(authority.certificate)


def verify(space: Space, leaf: Authority) -> VerifiedSigner:
    return verify_chain(chain(leaf, space.members["hongkong"]), roots(space), NOW)


def test_an_actor_is_who_its_regions_root_says(space: Space) -> None:
    for region in space.roots:
        uri = f"gba://{region}/h1/regulator/kim"
        assert str(verify_chain(space.actor(uri).chain_der, roots(space), NOW).uri) == uri


def test_a_plain_forged_leaf_with_every_demand_met_does_verify(space: Space) -> None:
    # The refusals below are worth something only if this one passes.
    leaf = forge_leaf(space.members["hongkong"], SAN, usage(), NOT_CA)
    assert str(verify(space, leaf).uri) == ANA


def test_an_actor_of_guangzhou_under_hongkongs_root_is_refused(space: Space) -> None:
    impostor = make_member(space.roots["hongkong"], "hongkong")
    claim = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier("gba://guangzhou/h1/researcher/li")]
    )
    leaf = forge_leaf(impostor, (claim, True), usage(), NOT_CA)
    error = refusal(
        Refused, "identity-chain-region", verify_chain, chain(leaf, impostor), roots(space), NOW
    )
    assert "another region" in error.message


def test_a_root_that_names_another_regions_members_is_refused(space: Space) -> None:
    # Hong Kong's listed root key signs an authority whose subject says guangzhou.
    key: Any = space.roots["hongkong"].key
    root = issue_root("guangzhou", key, BEGIN, END, 77)
    member = make_member(Authority(root, key), "guangzhou")
    identity = make_signing(member, "gba://guangzhou/h1/researcher/li")
    listed = roots(space) | {"hongkong": (root,)}
    refusal(Refused, "identity-chain-region", verify_chain, identity.chain_der, listed, NOW)


@pytest.mark.parametrize("other", ["guangzhou", "macao"])
def test_a_root_under_two_regions_speaks_for_neither(space: Space, other: str) -> None:
    listed = roots(space) | {other: roots(space)["hongkong"]}
    refusal(Refused, "identity-chain-region", verify_chain, space.actor().chain_der, listed, NOW)


def test_an_authority_that_names_another_region_than_its_root_is_refused(space: Space) -> None:
    root = space.roots["hongkong"]
    key: Any = space.members["macao"].key
    like = space.members["macao"].certificate
    member = Authority(reissue(like, key, root.key, issuer=root.certificate.subject), key)
    leaf = forge_leaf(member, SAN, usage(), NOT_CA)
    refusal(Refused, "identity-chain-region", verify_chain, chain(leaf, member), roots(space), NOW)


def test_a_member_may_not_speak_for_another_member(space: Space) -> None:
    other = make_member(space.roots["hongkong"], "hongkong", "h2")
    leaf = forge_leaf(other, SAN, usage(), NOT_CA)
    refusal(Refused, "identity-chain-member", verify_chain, chain(leaf, other), roots(space), NOW)


def test_an_unlisted_root_vouches_for_nobody(space: Space) -> None:
    stranger = make_member(make_root("hongkong"), "hongkong")
    identity = make_signing(stranger, ANA)
    refusal(Refused, "identity-unlisted", verify_chain, identity.chain_der, roots(space), NOW)
    refusal(Refused, "identity-unlisted", verify_chain, space.actor().chain_der, {}, NOW)


def test_a_chain_with_another_authority_of_the_same_name_is_refused(space: Space) -> None:
    leaf = space.actor().chain_der[0]
    double = make_member(space.roots["hongkong"], "hongkong")
    swapped = (leaf, der(double.certificate))
    refusal(Refused, "identity-unlisted", verify_chain, swapped, roots(space), NOW)


def test_a_leaf_straight_under_the_root_is_refused(space: Space) -> None:
    leaf = forge_leaf(space.roots["hongkong"], SAN, usage(), NOT_CA)
    for authority in (space.roots["hongkong"], space.members["hongkong"]):
        with pytest.raises(Refused):
            verify_chain(chain(leaf, authority), roots(space), NOW)


@pytest.mark.parametrize("length", [0, 1, 3, 50])
def test_a_chain_of_another_length_is_unverified(space: Space, length: int) -> None:
    whole = [*space.actor().chain_der, *[der(space.roots["hongkong"].certificate)] * 48]
    refusal(Unverified, "bad-chain", verify_chain, whole[:length], roots(space), NOW)


def test_bytes_that_are_no_certificate_are_unverified(space: Space) -> None:
    leaf, authority = space.actor().chain_der
    for bad in (b"", b"\x30", leaf[:-1], leaf + b"\0", bytes(20_000)):
        for broken in ((bad, authority), (leaf, bad)):
            refusal(Unverified, "bad-certificate", verify_chain, broken, roots(space), NOW)


def test_no_byte_of_a_chain_can_be_changed(space: Space) -> None:
    whole = space.actor().chain_der
    for which, certificate in enumerate(whole):
        for place in range(len(certificate)):
            changed = bytearray(certificate)
            changed[place] ^= 1
            swapped = [*whole]
            swapped[which] = bytes(changed)
            with pytest.raises((Refused, Unverified)):
                verify_chain(swapped, roots(space), NOW)


def test_a_certificate_has_one_encoding_though_its_parser_takes_more(space: Space) -> None:
    # A signature that ends in a zero bit could declare that bit unused, and still verify.
    for _ in range(64):
        leaf, authority = space.actor().chain_der
        if leaf[-1] % 2 == 0:
            break
    unused = len(leaf) - len(x509.load_der_x509_certificate(leaf).signature) - 1
    twin = leaf[:unused] + b"\x01" + leaf[unused + 1 :]
    refusal(Unverified, "bad-certificate", verify_chain, (twin, authority), roots(space), NOW)


def test_a_certificate_counts_only_within_its_time(space: Space) -> None:
    second = timedelta(seconds=1)
    short = make_signing(space.members["hongkong"], ANA, not_before=NOW, not_after=NOW + second)
    for at in (NOW, NOW + second):
        verify_chain(short.chain_der, roots(space), at)
    for at in (NOW - second, NOW + 2 * second):
        refusal(
            Refused,
            "identity-certificate-expired",
            verify_chain,
            short.chain_der,
            roots(space),
            at,
        )


def test_an_expired_authority_or_root_vouches_for_nobody(space: Space) -> None:
    later = END + timedelta(days=1)
    lasting = make_signing(space.members["hongkong"], ANA, not_after=later + timedelta(days=1))
    refusal(
        Refused,
        "identity-certificate-expired",
        verify_chain,
        lasting.chain_der,
        roots(space),
        later,
    )


def test_an_expired_root_beside_its_renewal_does_no_harm(space: Space) -> None:
    key: Any = space.roots["hongkong"].key
    old = issue_root("hongkong", key, BEGIN - timedelta(days=9), BEGIN, 5)
    listed = roots(space) | {"hongkong": (old, *roots(space)["hongkong"])}
    verify_chain(space.actor().chain_der, listed, NOW)


@pytest.mark.parametrize(
    "extensions",
    [
        (usage(), NOT_CA),
        (SAN, NOT_CA),
        (SAN, usage(digital_signature=False), NOT_CA),
        (SAN, usage(key_cert_sign=True), NOT_CA),
        (SAN, usage(key_cert_sign=True), (x509.BasicConstraints(ca=True, path_length=0), True)),
        (SAN, usage(), (x509.BasicConstraints(ca=True, path_length=0), True)),
        (SAN, usage(), NOT_CA, CLIENT),
        (SAN, usage(), NOT_CA, SERVER),
        ((x509.SubjectAlternativeName([ANA_NAME, BOB_NAME]), True), usage(), NOT_CA),
        ((x509.SubjectAlternativeName([ANA_NAME, x509.DNSName("a.test")]), True), usage(), NOT_CA),
        ((x509.SubjectAlternativeName([x509.DNSName("a.test")]), True), usage(), NOT_CA),
        (
            (x509.SubjectAlternativeName([x509.UniformResourceIdentifier("https://a.test")]), True),
            usage(),
            NOT_CA,
        ),
    ],
    ids=[
        "no-name",
        "no-key-usage",
        "no-digital-signature",
        "may-issue",
        "authority-as-leaf",
        "authority-that-signs",
        "tls-client",
        "tls-server",
        "two-uris",
        "uri-and-dns",
        "dns-alone",
        "another-scheme",
    ],
)
def test_a_leaf_that_is_no_signing_certificate_is_refused(
    space: Space, extensions: tuple[tuple[x509.ExtensionType, bool], ...]
) -> None:
    refusal(Refused, PROFILE, verify, space, forge_leaf(space.members["hongkong"], *extensions))


def test_a_critical_extension_that_nobody_here_knows_is_refused(space: Space) -> None:
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    leaf = forge_leaf(space.members["hongkong"], SAN, usage(), NOT_CA, (unknown, True))
    with pytest.raises(Refused):
        verify(space, leaf)


def test_a_members_authority_is_no_signer(space: Space) -> None:
    authority = space.members["hongkong"]
    root = space.roots["hongkong"]
    with pytest.raises(DataspaceError):
        verify_chain(chain(authority, root), roots(space), NOW)


def test_a_root_of_a_kind_that_may_not_issue_is_refused(space: Space) -> None:
    key, own = ec.generate_private_key(ec.SECP384R1()), space.members["hongkong"].key
    root = reissue(space.roots["hongkong"].certificate, key, key)
    member = reissue(space.members["hongkong"].certificate, own, key)
    identity = make_signing(Authority(member, own), ANA)
    listed = {"hongkong": (root,)}
    refusal(Refused, "identity-unlisted", verify_chain, identity.chain_der, listed, NOW)


def reissue(
    like: x509.Certificate, key: Any, issuer_key: Any, issuer: x509.Name | None = None
) -> x509.Certificate:
    """The same certificate for another key, issued by another key."""
    builder = (
        x509.CertificateBuilder(subject_name=like.subject, issuer_name=issuer or like.issuer)
        .public_key(key.public_key())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .serial_number(3)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    for kind in (x509.BasicConstraints, x509.KeyUsage):
        builder = builder.add_extension(like.extensions.get_extension_for_class(kind).value, True)
    return builder.sign(issuer_key, SHA256())


def test_a_tls_peer_is_read_with_its_role_whether_or_not_its_chain_repeats_the_leaf(
    space: Space,
) -> None:
    authority = space.members["macao"]
    node = make_tls(authority, "gba://macao/h1/node/main")
    leaf = pem(node.certificate)
    for sent in (pem(authority.certificate), pem(node.certificate, authority.certificate)):
        peer = verify_tls_peer(leaf, sent, roots(space), NOW)
        assert peer.uri.role == "node"


def test_a_broker_may_be_dialled_and_dials_under_one_certificate(space: Space) -> None:
    authority = space.members["hongkong"]
    broker = make_tls(
        authority, "gba://hongkong/h1/broker/main", server=True, dns_names=("broker.test",)
    )
    peer = verify_tls_peer(pem(broker.certificate), pem(authority.certificate), roots(space), NOW)
    assert peer.uri.role == "broker"


def test_signing_and_tls_certificates_do_not_stand_in_for_each_other(space: Space) -> None:
    authority = space.members["hongkong"]
    tls = make_tls(authority, ANA)
    refusal(Refused, PROFILE, verify, space, tls)
    signing = x509.load_der_x509_certificate(space.actor().chain_der[0])
    refusal(
        Refused,
        PROFILE,
        verify_tls_peer,
        pem(signing),
        pem(authority.certificate),
        roots(space),
        NOW,
    )


@pytest.mark.parametrize(
    "extensions",
    [
        (SAN, usage(), NOT_CA),
        (SAN, usage(), NOT_CA, SERVER),
        (usage(), NOT_CA, CLIENT),
        (
            (x509.SubjectAlternativeName([ANA_NAME, BOB_NAME]), True),
            usage(),
            NOT_CA,
            CLIENT,
        ),
    ],
    ids=["no-extended-usage", "server-alone", "no-name", "two-uris"],
)
def test_a_leaf_that_is_no_tls_certificate_is_refused(
    space: Space, extensions: tuple[tuple[x509.ExtensionType, bool], ...]
) -> None:
    authority = space.members["hongkong"]
    leaf = pem(forge_leaf(authority, *extensions).certificate)
    rest = pem(authority.certificate)
    refusal(Refused, PROFILE, verify_tls_peer, leaf, rest, roots(space), NOW)


@pytest.mark.parametrize("leaf", [b"", b"not PEM"])
def test_a_tls_peer_without_a_certificate_is_unverified(space: Space, leaf: bytes) -> None:
    rest = pem(space.members["hongkong"].certificate)
    with pytest.raises(Unverified):
        verify_tls_peer(leaf, rest, roots(space), NOW)
