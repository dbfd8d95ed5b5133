"""Several products in one question: each of them keeps its protection."""

from __future__ import annotations

from collections.abc import Sequence

from dataspace.query.product import Disclosure


def strictest(settings: Sequence[Disclosure]) -> Disclosure:
    """Settings that are as strict as each of those given, for what is acted on."""
    first = settings[0]
    return first.model_copy(
        update={
            "min_subjects": max(each.min_subjects for each in settings),
            "round_to": max(each.round_to for each in settings),
            "secondary": any(each.secondary for each in settings),
        }
    )
