"""A path that was verified once: known by its whole input, and by nothing less."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dataspace.errors import DataspaceError
from dataspace.identity.chains import VerifiedSigner, verify_chain

from .test_chains import ANA, roots
from .world import END, NOW, Space, der, make_root, make_signing


def test_a_known_chain_is_refused_once_it_has_expired(space: Space) -> None:
    leaf = make_signing(space.members["hongkong"], ANA)
    own = leaf.chain_der
    for _ in range(2):
        assert str(verify_chain(own, roots(space), NOW).uri) == ANA
    with pytest.raises(DataspaceError) as caught:
        verify_chain(own, roots(space), END + timedelta(days=1))
    assert caught.value.code == "identity-certificate-expired"
    assert isinstance(verify_chain(own, roots(space), NOW), VerifiedSigner)


def test_a_known_chain_is_refused_under_other_roots(space: Space) -> None:
    leaf = make_signing(space.members["hongkong"], ANA)
    own = leaf.chain_der
    listed = roots(space)
    verify_chain(own, listed, NOW)
    for other in (
        {name: each for name, each in listed.items() if name != "hongkong"},
        listed | {"hongkong": (make_root("hongkong").certificate,)},
        # The same root under another region.
        {**listed, "hongkong": listed["macao"], "macao": listed["hongkong"]},
    ):
        with pytest.raises(DataspaceError):
            verify_chain(own, other, NOW)


def test_a_known_leaf_does_not_vouch_for_a_changed_one(space: Space) -> None:
    leaf = make_signing(space.members["hongkong"], ANA)
    authority = der(space.members["hongkong"].certificate)
    own = leaf.chain_der[0]
    verify_chain((own, authority), roots(space), NOW)
    for changed in (own[:-1] + bytes([own[-1] ^ 1]), own + b"\0", own[:-1]):
        with pytest.raises(DataspaceError):
            verify_chain((changed, authority), roots(space), NOW)
