"""Who stops first at a deadline: nodes, then the broker, then the caller. See decision 14."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

# What the way back may take of a deadline: seconds, or a share of a short one.
_BACK_SECONDS = 1.0
_BACK_SHARE = 0.3


@dataclass(frozen=True)
class Until:
    """A call's deadline, on the loop's clock. Nodes stop before the broker gives them up, and
    the broker before the caller, so that the reason still gets back in time."""

    seconds: float
    node: float
    broker: float

    @classmethod
    def after(cls, seconds: float) -> Until:
        """The deadline of a caller who waits so long from now on."""
        end = asyncio.get_running_loop().time() + seconds
        back = min(_BACK_SECONDS, _BACK_SHARE * seconds)
        return cls(seconds, end - back, end - back / 2)

    def node_ms(self) -> int:
        """Milliseconds that a node has from now on; at least one."""
        return max(1, int((self.node - asyncio.get_running_loop().time()) * 1000))
