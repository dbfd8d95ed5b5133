"""Whom an ask means: people by their documents, and the consents that reach them. Rim.

Looks into linkage columns and the registry of consents, and reads no record. What it finds is
for the gate alone: nothing here refuses anybody, lest the refusal tell who is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dataspace.errors import Malformed, Unavailable
from dataspace.evidence.consenting import ConsentStore
from dataspace.evidence.record_asks import RecordAsk
from dataspace.identity.names import ActorUri
from dataspace.linkage.documents import Document
from dataspace.policy.consents import Consent, consent_state
from dataspace.policy.standing import ABSENT, EXPIRED, VALID
from dataspace.query.product import Product
from node.catalogue import Catalogue
from node.warehouse.people import Person, find_person

_STATES = (ABSENT, EXPIRED, VALID)  # the worst first


def uncancelled(_interrupt: Callable[[], None]) -> None:
    """For the engine: its own limit ends what nobody cancels."""


@dataclass(frozen=True)
class Patient:
    """Whom the documents name that count, with the consents for each; `tags` are sorted."""

    people: tuple[Person, ...] = field(repr=False)
    consents: tuple[tuple[Consent, ...], ...]
    tags: tuple[str, ...]

    def consent_state(
        self, recipient: ActorUri, purpose: str, categories: Iterable[str], at_ms: int
    ) -> str:
        """`valid`, `expired` or `absent`: that of the document for which it is worst.

        SECURITY: were the consents of several documents added up, those of an accomplice whom
        nobody here knows would widen another's.
        """
        wanted = tuple(categories)
        states = [consent_state(each, recipient, purpose, wanted, at_ms) for each in self.consents]
        return min(states, key=_STATES.index)

    @property
    def consent_ids(self) -> list[str]:
        """The consents relied on that are this patient's."""
        return sorted({each.id for kept in self.consents for each in kept})

    def as_one(self) -> Person:
        """The person behind all documents. Raises `Malformed` where there are several."""
        found = [each.subjects for each in self.people if each.subjects]
        if any(not each & found[0] for each in found[1:]):
            raise Malformed("these documents are of different people", code="documents-differ")
        return Person(
            frozenset[object]().union(*found),
            frozenset[Document]().union(*(each.documents for each in self.people)),
        )


@dataclass(frozen=True)
class Patients:
    """One region's. `tag` makes a person's tag of a document."""

    consents: ConsentStore
    tag: Callable[[Document], str]

    def find(self, ask: RecordAsk, catalogue: Catalogue, products: Sequence[Product]) -> Patient:
        """Who is meant: by those documents that a consent named in the ask reaches, directly or
        by another document of the same person; by all of them where none does."""
        if len({each.subject_space for each in products}) != 1:
            raise Malformed("these products do not share their subjects here", code="subject-space")
        if catalogue.engine is None:
            raise Unavailable("this node has no data yet", code="warehouse")
        linked = [
            each.product for each in catalogue.products.values()
            if each.product.subject_space == products[0].subject_space
        ]  # fmt: skip
        people = [
            find_person(catalogue.engine, linked, document, uncancelled)
            for document in ask.documents
        ]
        tags = [{self.tag(document) for document in each.documents} for each in people]
        # A consent that is kept in another region is not here, and says nothing here.
        kept = (self.consents.find(each) for each in ask.consents)
        named = [each.consent for each in kept if each is not None]
        consents = [tuple(each for each in named if each.tag in known) for known in tags]
        reached = [at for at, found in enumerate(consents) if found] or list(range(len(people)))
        return Patient(
            tuple(people[at] for at in reached),
            tuple(consents[at] for at in reached),
            tuple(sorted(set().union(*(tags[at] for at in reached)))),
        )
