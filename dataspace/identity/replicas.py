"""How the brokers of a space are told apart: `broker`, `broker-2`, `broker-3` … Pure.

Each has a log and keys of its own in the trust list, and all their logs belong to the owner
"broker". A replica's name is the last part of its log's origin, and its directory's name.
"""

from __future__ import annotations

import re

from dataspace.identity.trusted import BROKER, TrustedLogValue
from dataspace.identity.trustlist import TrustList

MOST_BROKERS = 9
_NAME = re.compile(rf"{BROKER}(-[2-{MOST_BROKERS}])?", re.ASCII)


def replica_name(number: int) -> str:
    """The name of the first, second … broker."""
    return BROKER if number == 1 else f"{BROKER}-{number}"


def is_broker(name: str) -> bool:
    """Whether a log's or a directory's name is a broker's."""
    return _NAME.fullmatch(name) is not None


def replica_of(origin: str) -> str:
    """The broker whose log has this origin; "broker" for an origin of another form."""
    last = origin.rpartition("/")[2]
    return last if is_broker(last) else BROKER


def own_log(trust: TrustList, owner: str, origin: str) -> TrustedLogValue | None:
    """The log of an owner that a party keeps, by the origin that it names; None where the list
    names none such."""
    return next((log for log in trust.logs_of(owner) if log.origin == origin), None)
