"""Whether a process may be relied on now, as codes. Decides nothing for anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dataspace.errors import DataspaceError
from dataspace.identity.trustlist import TrustList

Check = Callable[[], Iterable[str]]

TRUST_EXPIRED = "trust-expired"
REVOCATIONS_STALE = "revocations-stale"
POLICY_REJECTED = "policy-rejected"
STOPPING = "stopping"


@dataclass
class Readiness:
    """The checks of one process. `stopping` is set once it has begun to end."""

    checks: tuple[Check, ...]
    stopping: bool = False

    def reasons(self) -> list[str]:
        """Why it is not ready, sorted; empty where it is. A check that fails is a reason."""
        if self.stopping:
            return [STOPPING]
        found: set[str] = set()
        for check in self.checks:
            try:
                found.update(check())
            except DataspaceError as error:
                found.add(error.code)
            except Exception:
                found.add("internal")
        return sorted(found)


def holds(code: str, condition: Callable[[], bool]) -> Check:
    """A check that gives `code` while `condition` does not hold."""
    return lambda: () if condition() else (code,)


def passes(check: Callable[[], object]) -> Check:
    """A check that gives the code of the error that `check` raises."""

    def found() -> Iterable[str]:
        check()
        return ()

    return found


def trust_is_fresh(trust: Callable[[], TrustList], region: str, now_ms: Callable[[], int]) -> Check:
    """The trust list holds, and so do the revocation lists without which nothing passes here:
    the own region's and the broker's. Another region's is that region's to mend."""

    def found() -> Iterable[str]:
        current, moment = trust(), now_ms()
        if current.expires_at_ms <= moment:
            yield TRUST_EXPIRED
        needed = {region, *(broker.uri.region for broker in current.brokers)}
        signed = {signer.uri.region for signer in current.revocation_signers}
        lists = current.revocations.lists
        if any(each not in lists or not lists[each].is_current(moment) for each in needed & signed):
            yield REVOCATIONS_STALE

    return found
