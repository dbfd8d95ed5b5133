"""Binding a question across regions: each side as a plain question. Runs nothing."""

from __future__ import annotations

from dataclasses import replace

from dataspace.query.bind import bind_query
from dataspace.query.outcome_types import check_outcomes
from dataspace.query.overlap import OverlapQuery, OverlapSide
from dataspace.query.product import Offer
from dataspace.query.tree import Operation, Query, Scalar
from dataspace.query.types import family_of


def bind_overlap(query: OverlapQuery, *offers: Offer) -> OverlapQuery:
    """The same question with every column typed and what CTEs name written out.

    `offers` are those of the question's products: a name has one schema in all regions. Raises
    as `bind_query` does: `Malformed` for what a column's role or type does not allow, `Refused`
    for a withheld one, linkage columns among them.
    """
    bound = replace(query, sides=tuple(_side(each, offers) for each in query.sides))
    check_outcomes(bound.outcomes(), [family_of(key) for key in bound.group_keys])
    return bound


def _side(side: OverlapSide, offers: tuple[Offer, ...]) -> OverlapSide:
    own = [offer for offer in offers if offer.product == side.product]
    if not own:
        raise KeyError(side.product)
    selection = bind_query(side.selection(), own[0])
    return replace(side, where=_kept(selection), keys=selection.keys, filter=None, columns=None)


def _kept(selection: Query) -> Scalar | None:
    """What a CTE keeps, and what WHERE does: both over the product's own columns by now."""
    conditions = [each for each in (selection.sources[0].filter, selection.where) if each]
    return (
        Operation("and", tuple(conditions))
        if len(conditions) == 2
        else next(iter(conditions), None)
    )
