"""What a broker or a stranger does to a round, and by what it is found and named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataspace.errors import DataspaceError, Unverified
from dataspace.identity.names import ActorUri
from dataspace.linkage.points import blind
from dataspace.v1.linkage_pb2 import BlindedChunk, HopChunk

from .rings import Message, edited, people, ring, uri

Wave = list[tuple[ActorUri, Message]]
CELLS = {
    "guangzhou": [people(9), people(6, 50)],
    "hongkong": [people(10, 5)],
    "macao": [people(6, 7)],
}


def first_wave(change: Callable[[Wave], Wave]) -> Callable[[Wave], Wave]:
    """Tampers with the messages of the first hop alone."""
    seen: list[bool] = []

    def tamper(wave: Wave) -> Wave:
        if seen:
            return wave
        seen.append(True)
        return change(wave)

    return tamper


def remembering(into: Wave) -> Callable[[Wave], Wave]:
    """Changes nothing, and keeps a copy of all."""

    def tamper(wave: Wave) -> Wave:
        into.extend(wave)
        return wave

    return tamper


def at(wave: Wave, stream: str, chunk: int) -> int:
    return next(
        number
        for number, (_, message) in enumerate(wave)
        if (message.place.stream, message.place.chunk) == (stream, chunk)
    )


def drop(wave: Wave) -> Wave:
    del wave[at(wave, "guangzhou", 1)]
    return wave


def drop_last(wave: Wave) -> Wave:
    last = max(message.place.chunk for _, message in wave if message.place.stream == "guangzhou")
    del wave[at(wave, "guangzhou", last)]
    return wave


def repeat(wave: Wave) -> Wave:
    number = at(wave, "guangzhou", 1)
    return [*wave[: number + 1], wave[number], *wave[number + 1 :]]


def repeat_at_the_end(wave: Wave) -> Wave:
    return [*wave, wave[at(wave, "guangzhou", 0)]]


def reorder(wave: Wave) -> Wave:
    one, other = at(wave, "guangzhou", 1), at(wave, "guangzhou", 2)
    wave[one], wave[other] = wave[other], wave[one]
    return wave


def change(stream: str, chunk: int, **changes: object) -> Callable[[Wave], Wave]:
    def tamper(wave: Wave) -> Wave:
        number = at(wave, stream, chunk)
        signer, message = wave[number]
        wave[number] = (signer, edited(message, **changes))
        return wave

    return tamper


def swap_batches(wave: Wave) -> Wave:
    """The sealed content of one batch under the place of another."""
    one, other = at(wave, "guangzhou", 0), at(wave, "guangzhou", 3)
    first, second = wave[one][1], wave[other][1]
    assert isinstance(first, HopChunk) and isinstance(second, HopChunk)
    wave[one] = (wave[one][0], edited(first, sealed=second.sealed))
    return wave


def send_elsewhere(wave: Wave) -> Wave:
    """A chunk for hongkong handed to macao, as if it were for it."""
    return change("guangzhou", 0, to="macao")(wave)


def sign_as(region: str, name: str = "node") -> Callable[[Wave], Wave]:
    def tamper(wave: Wave) -> Wave:
        number = at(wave, "guangzhou", 0)
        wave[number] = (uri(region, name), wave[number][1])
        return wave

    return tamper


ATTACKS = {
    "drops a chunk": (drop, "ring-missing"),
    "drops the last chunk": (drop_last, "ring-missing"),
    "repeats a chunk": (repeat, "ring-repeated"),
    "repeats a chunk after the end": (repeat_at_the_end, "ring-repeated"),
    "reorders chunks": (reorder, "ring-missing"),
    "swaps batches": (swap_batches, "ring-sealed"),
    "claims another count": (change("guangzhou", 0, place__tuples=3), "ring-count"),
    "claims another hop": (change("guangzhou", 0, place__hop=1), "ring-wrong-node"),
    "claims another stream": (change("guangzhou", 0, place__stream="macao"), "ring-wrong-node"),
    "claims a stream of nobody": (change("guangzhou", 0, place__stream="x"), "ring-wrong-node"),
    "hands back the own stream": (
        change("guangzhou", 0, place__stream="hongkong"),
        "ring-wrong-node",
    ),
    "sends it elsewhere": (send_elsewhere, "ring-wrong-node"),
    "changes sealed bytes": (change("guangzhou", 0, sealed=b"x" * 300), "ring-sealed"),
    "brings a chunk of another round": (
        change("guangzhou", 0, place__transcript=b"o" * 32),
        "ring-other-round",
    ),
    "signs as another region": (sign_as("macao"), "ring-wrong-node"),
    "signs as another node of the region": (sign_as("guangzhou", "node2"), "ring-wrong-node"),
}


@pytest.mark.parametrize(("tamper", "code"), ATTACKS.values(), ids=ATTACKS)
def test_a_round_that_somebody_meddles_with_is_given_up_and_named(
    tamper: Callable[[Wave], Wave], code: str
) -> None:
    with pytest.raises(Unverified) as caught:
        ring(CELLS).run(first_wave(tamper))
    assert caught.value.code == code


def test_what_is_wrong_names_stream_both_ends_and_chunk() -> None:
    with pytest.raises(Unverified, match="guangzhou's stream from guangzhou to hongkong") as caught:
        ring(CELLS).run(first_wave(drop))
    assert "chunk 1" in caught.value.message


@pytest.mark.parametrize("name", ["drops a chunk", "drops the last chunk", "repeats a chunk",
                                  "reorders chunks", "claims another count"])  # fmt: skip
def test_the_broker_finds_the_same_in_what_the_last_hop_sends(name: str) -> None:
    tamper, code = ATTACKS[name]
    whole = ring({region: CELLS[region] for region in ("guangzhou", "macao")})

    def last_wave(wave: Wave) -> Wave:
        shown = any(isinstance(message, BlindedChunk) for _, message in wave)
        return tamper(wave) if shown else wave

    with pytest.raises(Unverified) as caught:
        whole.run(last_wave)
    assert caught.value.code == code


def test_after_the_first_cheat_nothing_is_taken_any_more() -> None:
    whole = ring(CELLS)
    good: Wave = []
    whole.run(remembering(good))
    part = whole.nodes["hongkong"].participant(whole.transcript)
    mine = [
        (signer, message)
        for signer, message in good
        if isinstance(message, HopChunk)
        and (message.to, message.place.stream) == ("hongkong", "guangzhou")
    ]
    signer, first = mine[0]
    with pytest.raises(Unverified):
        part.receive(edited(first, place__tuples=1), signer)
    with pytest.raises(Unverified):
        part.receive(first, signer)
    with pytest.raises(Unverified):
        part.finish()


def test_a_chunk_that_is_labelled_for_another_node_is_not_taken() -> None:
    whole = ring(CELLS)
    kept: Wave = []
    whole.run(remembering(kept))
    signer, first = kept[at(kept, "guangzhou", 0)]
    assert isinstance(first, HopChunk)
    part = whole.nodes["hongkong"].participant(whole.transcript)
    with pytest.raises(Unverified) as caught:
        part.receive(edited(first, to="macao"), signer)
    assert caught.value.code == "ring-wrong-node"


def test_a_message_of_an_earlier_attempt_is_refused() -> None:
    before: Wave = []
    ring(CELLS).run(remembering(before))
    with pytest.raises(Unverified) as caught:
        ring(CELLS, attempt=1).run(first_wave(lambda wave: before[: len(wave)]))
    assert caught.value.code == "ring-other-round"


def test_a_round_with_another_nonce_of_its_nodes_is_another() -> None:
    before: Wave = []
    ring(CELLS, salt="a").run(remembering(before))
    with pytest.raises(Unverified) as caught:
        ring(CELLS, salt="b").run(first_wave(lambda wave: before[: len(wave)]))
    assert caught.value.code == "ring-other-round"


@pytest.mark.parametrize("bad", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)])
def test_a_node_that_sends_what_is_no_point_is_caught_by_position(bad: bytes) -> None:
    whole = ring(CELLS)
    node = whole.nodes["guangzhou"]
    part = whole.nodes["hongkong"].participant(whole.transcript)
    sender = node.participant(whole.transcript)
    work = next(iter(sender.begin(node.batches)))
    points = blind(work.points, node.scalar)
    points = points[:64] + bad + points[96:]
    ((place, data),) = sender.blinded(work, points)
    message = place.message(data)
    assert isinstance(message, HopChunk)
    received = part.receive(message, uri("guangzhou"))
    with pytest.raises(Unverified, match="point 2 ") as caught:
        blind(received.points, whole.nodes["hongkong"].scalar)
    assert caught.value.code == "bad-point"


def test_the_broker_refuses_a_token_that_is_no_point() -> None:
    whole = ring({region: CELLS[region] for region in ("guangzhou", "macao")})

    def spoil(wave: Wave) -> Wave:
        for number, (signer, message) in enumerate(wave):
            if isinstance(message, BlindedChunk):
                spoiled = message.tokens[:32] + bytes(32) + message.tokens[64:]
                wave[number] = (signer, edited(message, tokens=spoiled))
        return wave

    with pytest.raises(Unverified, match="point 1 "):
        whole.run(spoil)


def test_content_of_another_size_than_it_claims_is_refused() -> None:
    whole = ring(CELLS)
    node = whole.nodes["guangzhou"]
    sender = node.participant(whole.transcript)
    work = next(iter(sender.begin(node.batches)))
    ((place, data),) = sender.blinded(work, work.points)
    message = place.message(data + data[:64])
    assert isinstance(message, HopChunk)
    with pytest.raises(Unverified) as caught:
        whole.nodes["hongkong"].participant(whole.transcript).receive(message, uri("guangzhou"))
    assert caught.value.code == "ring-count"


def test_a_participant_brings_exactly_the_batches_that_it_joined_with() -> None:
    whole = ring(CELLS)
    node = whole.nodes["guangzhou"]
    for batches in (node.batches[:1], [node.batches[0][:-1], node.batches[1]], node.batches[::-1]):
        with pytest.raises(DataspaceError) as caught:
            node.participant(whole.transcript).begin(batches)
        assert caught.value.code == "batch-shape"
