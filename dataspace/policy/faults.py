"""What is wrong with a policy set, by file, line and rule, so that an alarm can name them."""

from __future__ import annotations

from dataspace.errors import Malformed, Place


class PolicyFault(Malformed):
    """What is wrong with a policy set: `source` is the file, `place` the line, `rule` the rule."""

    def __init__(self, source: str, message: str, line: int | None = None, rule: str = "") -> None:
        place = Place(line, 1) if line is not None else None
        named = f"rule {rule}: {message}" if rule else message
        super().__init__(
            f"{source}: {named}" if source else named, code="policy-set", rule=rule, place=place
        )
        self.source = source
