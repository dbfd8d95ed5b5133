"""Where a patient is known under any of several documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dataspace.client.existence import NO, YES, Presence, RegionPresence


def known_under_any(told: Sequence[Presence]) -> Presence:
    """One answer a region, of one for each document: yes where any is, no where all are."""
    regions = [each.region for each in told[0].regions]
    return Presence(tuple(_most([each[region] for each in told]) for region in regions))


def _most(said: Sequence[RegionPresence]) -> RegionPresence:
    known = [each for each in said if each.answer == YES]
    silent = [each for each in said if each.answer != NO]
    return (known or silent or said)[0]
