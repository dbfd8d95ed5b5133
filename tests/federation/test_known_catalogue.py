"""A catalogue that a session holds already is not sent again; a changed one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dataspace.cli.supervising import start_party
from dataspace.client import catalogue, connect
from dataspace.v1 import catalogue_pb2
from tests.attacks.forgery import COUNT
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, stop
from tests.spaces import Space


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("catalogue")) as running:
        yield running


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> list[catalogue_pb2.CatalogueReply]:
    """What the broker's catalogue replies held."""
    heard: list[catalogue_pb2.CatalogueReply] = []
    renewed = catalogue._renewed

    def hear(known: Any, reply: catalogue_pb2.CatalogueReply, *rest: Any) -> catalogue.Catalogue:
        heard.append(reply)
        return renewed(known, reply, *rest)

    monkeypatch.setattr(catalogue, "_renewed", hear)
    return heard


def test_a_known_catalogue_costs_one_small_reply(
    space: Space, replies: list[catalogue_pb2.CatalogueReply]
) -> None:
    with connect(space.home, "macao/researcher") as session:
        found = [session.catalogue() for _ in range(3)]
        # The minute may have turned once in between.
        sizes = sorted(reply.ByteSize() for reply in replies)
        assert sizes[0] < 300 < 10_000 < sizes[-1]
        assert all(each.offers == found[0].offers for each in found)
        assert all(len(each.rules) == len(found[0].rules) for each in found)
        assert {each.attached for each in found} == {frozenset({"guangzhou", "hongkong", "macao"})}


def test_who_is_attached_is_told_every_time(space: Space) -> None:
    with connect(space.home, "macao/researcher") as session:
        session.catalogue()
        stop(space, "guangzhou")
        await_true(lambda: "guangzhou" not in session.catalogue().attached, "still attached")
        start_party(space.home, "guangzhou")
        await_ready(space)
        assert "guangzhou" in session.catalogue().attached


def test_another_actor_is_told_its_own_rules(space: Space) -> None:
    with (
        connect(space.home, "macao/researcher") as one,
        connect(space.home, "macao/regulator") as other,
    ):
        mine, theirs = one.catalogue(), other.catalogue()
        assert mine.content_sha256 != theirs.content_sha256
        other._catalogue = mine
        assert [note.outcome for note in other.catalogue().rules] == [
            note.outcome for note in theirs.rules
        ]
        assert one.query(COUNT, purpose="HRESCH").answer.rows
