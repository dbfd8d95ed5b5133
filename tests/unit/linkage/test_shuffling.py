"""Who passes a stream on leaves no trace in it of the order in which it came."""

from __future__ import annotations

import pytest

from dataspace.linkage.points import blind

from .rings import SLOTS, people, ring

REGION = "macao"


@pytest.mark.parametrize("stream", ["guangzhou", REGION])
def test_each_hop_shuffles_what_it_sends(stream: str) -> None:
    made = ring({"guangzhou": [people(24)], REGION: [people(24, 5)]})
    parts = {region: node.participant(made.transcript) for region, node in made.nodes.items()}
    blinded: list[bytes] = []
    left: list[bytes] = []
    for work in parts[stream].begin(made.nodes[stream].batches):
        points = blind(work.points, made.nodes[stream].scalar)
        for place, data in parts[stream].blinded(work, points):
            if stream == REGION:  # its own: held against the order of its subjects
                left.append(data)
                continue
            chunk = place.message(data)
            passed = parts[REGION].receive(chunk, made.nodes[stream].joined.uri)  # type: ignore[arg-type]  # a hop's
            again = blind(passed.points, made.nodes[REGION].scalar)
            blinded.append(again)
            left += [sent for _, sent in parts[REGION].blinded(passed, again)]
    if stream == REGION:
        blinded = [
            blind(batch.tobytes(), made.nodes[REGION].scalar)
            for batch in made.nodes[REGION].batches
        ]
    came, went = _subjects(blinded), _subjects(left)
    assert sorted(came) == sorted(went)
    assert sum(one == other for one, other in zip(came, went, strict=True)) < 12


def _subjects(chunks: list[bytes]) -> list[bytes]:
    data, size = b"".join(chunks), 32 * len(SLOTS)
    return [data[at : at + size] for at in range(0, len(data), size)]
