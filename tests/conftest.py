"""For all tests: generated examples are the same in every run, and new ones where asked for.

What lands does not depend on luck; `GBA_EXPLORE=1 make test` looks for what nobody thought of.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
if not os.environ.get("GBA_EXPLORE"):
    settings.load_profile("same")
