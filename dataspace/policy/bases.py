"""The legal basis of a use of data, by route and action, where no agreement names one. Pure.

Not legal advice: which basis carries which route is for the rules in `policies/` to say; this
is the one that a request claims.
"""

from __future__ import annotations

from typing import Final

AGGREGATE_ACTION: Final = "aggregate"
OVERLAP_ACTION: Final = "overlap"
AGGREGATE: Final = "AGGREGATE"
EMERGENCY: Final = "EMERGENCY"
LOCAL: Final = "LOCAL"
STANDARD_CONTRACT: Final = "GBA-SC"  # the mainland with Hong Kong or with Macao
BETWEEN_HONGKONG_AND_MACAO: Final = "HK-PDPO+MO-PDPA"


def basis_of(source: str, target: str, action: str, *, emergency: bool = False) -> str:
    """What a use of `source`'s data by `target` stands on."""
    if action == AGGREGATE_ACTION:
        return AGGREGATE
    if emergency:
        return EMERGENCY
    if source == target:
        return LOCAL
    return STANDARD_CONTRACT if "guangzhou" in {source, target} else BETWEEN_HONGKONG_AND_MACAO
