"""The nodes' sealing keys at a member's side: asked for once, verified, kept in memory. Rim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dataspace.client.asking import LogAnswer
from dataspace.errors import Unverified
from dataspace.evidence.sealing_keys import CertifiedKeys, read_keys
from dataspace.v1 import sealing_pb2

Ask = Callable[[sealing_pb2.SealingKeyRequest, Sequence[str]], Sequence[LogAnswer]]
_AHEAD_MS = 60_000  # a key that ends this soon is not used any more


@dataclass
class KnownKeys:
    """One session's. `ask` sends a request to regions, and verifies what comes back."""

    ask: Ask
    clock: Callable[[], int]
    _known: dict[str, CertifiedKeys] = field(default_factory=dict)

    def of(self, regions: Sequence[str]) -> tuple[dict[str, CertifiedKeys], tuple[LogAnswer, ...]]:
        """The keys of each region that gives them, and the answers of those that do not."""
        now_ms = self.clock()
        missing = [
            region for region in regions
            if region not in self._known or self._known[region].not_after_ms - _AHEAD_MS <= now_ms
        ]  # fmt: skip
        without = []
        for answer in self.ask(sealing_pb2.SealingKeyRequest(), missing) if missing else ():
            checked = answer.answer
            if checked is None or checked.refusal is not None:
                self._known.pop(answer.log, None)
                without.append(answer)
                continue
            if not isinstance(checked.body, sealing_pb2.SealingKeyAnswer):
                raise Unverified(f"{answer.log} answers with another kind", code="sealing-key")
            self._known[answer.log] = read_keys(checked.body, now_ms)
        held = {region: self._known[region] for region in regions if region in self._known}
        return held, tuple(without)

    def forget(self, region: str) -> None:
        """Ask anew next time: the node has changed its keys."""
        self._known.pop(region, None)
