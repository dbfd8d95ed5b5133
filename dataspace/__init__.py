"""What every participant of the GBA data space shares, and what a member installs.

`dataspace.connect(home=…, actor=…)` opens a member's session; `session.query(…)` returns a
`dataspace.Release`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataspace.client import Release as Release
    from dataspace.client import connect as connect

__version__ = "0.1.0"
__all__ = ["Release", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    # A node or the broker imports this package without the member's side.
    if name in {"connect", "Release"}:
        from dataspace import client  # noqa: PLC0415 - only when it is asked for

        return getattr(client, name)
    raise AttributeError(name)
