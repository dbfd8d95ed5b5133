"""A query tree as lines that a person reads. Values alone."""

from __future__ import annotations

from dataspace.query.overlap import OverlapQuery
from dataspace.query.tree import (
    Aggregate,
    AggregateRef,
    CaseWhen,
    ColumnRef,
    KeyRef,
    Literal,
    Operation,
    Outcome,
    OutcomeCase,
    OutcomeOperation,
    Query,
    Scalar,
    Source,
)


def outline(query: Query) -> list[str]:
    """The bound tree, one part a line."""
    lines = [_source(index, each) for index, each in enumerate(query.sources)]
    if query.where is not None:
        lines.append(f"where {_text(query.where)}")
    lines += [f"key {index}: {_text(key)}" for index, key in enumerate(query.keys)]
    return lines + _outcome(query)


def _outcome(query: Query) -> list[str]:
    """What is computed, and from released cells."""
    lines = []
    for index, aggregate in enumerate(query.aggregates):
        lines.append(f"aggregate {index}: {_aggregate(aggregate)}")
    lines += [f"output {each.name}: {_text(each.value)}" for each in query.outputs]
    if query.having is not None:
        lines.append(f"having {_text(query.having)}")
    for order in query.order:
        lines.append(f"order by {_text(order.value)}{' desc' if order.descending else ''}")
    if query.limit is not None:
        lines.append(f"limit {query.limit} offset {query.offset}")
    return lines


def outline_across(query: OverlapQuery) -> list[str]:
    """A bound question across regions, side by side: what a side keeps and groups by is its own."""
    lines = []
    for at, side in enumerate(query.sides):
        joined = "union" if query.union else "left join" if at in query.optional else "join"
        begin = f"{joined} on the same human being" if at else "from"
        lines.append(f"{begin} {side.region}.{side.product} as t{at}")
        if side.where is not None:
            lines.append(f"where {_text(side.where, f't{at}')}")
    for number, (at, _) in enumerate(query.groups):
        lines.append(f"key {number}: {_text(query.group_keys[number], f't{at}')}")
    return lines + _outcome(query.outcomes())


def _source(index: int, source: Source) -> str:
    where = f"{source.region}." if source.region else ""
    join = "left join " if source.optional else "join " if index else "from "
    kept = f" where {_text(source.filter)}" if source.filter is not None else ""
    return f"{join}{where}{source.product} as t{index}{kept}"


def _aggregate(aggregate: Aggregate) -> str:
    arguments = [each for each in (aggregate.argument, aggregate.other) if each is not None]
    inner = ", ".join(map(_text, arguments))
    kept = f" filter ({_text(aggregate.where)})" if aggregate.where is not None else ""
    cells = len(aggregate.parts)
    split = f", {cells} cells of its own" if cells > 1 else ""
    name = aggregate.kind.value.removesuffix("(*)").removesuffix("(distinct person)")
    return f"{name}({inner or ('*' if '*' in aggregate.kind.value else 'person')}){kept}{split}"


def _text(node: Scalar | Outcome, table: str = "") -> str:
    """`table` names the columns of a side, which is bound alone, among all sides."""
    match node:
        case Literal():
            return repr(node.value) if isinstance(node.value, str) else str(node.value)
        case ColumnRef():
            named = table or node.table
            return f"{named}.{node.name}" if named else node.name
        case KeyRef():
            return f"key {node.index}"
        case AggregateRef():
            return f"aggregate {node.index}"
        case Operation() | OutcomeOperation():
            inner = [_text(each, table) for each in node.arguments]
            if len(inner) == 2 and not node.name.replace("_", "").isalpha():
                return f"({inner[0]} {node.name} {inner[1]})"
            return f"{node.name}({', '.join(inner)})"
        case CaseWhen() | OutcomeCase():
            whens = "; ".join(f"{_text(c, table)}: {_text(v, table)}" for c, v in node.branches)
            return f"case({whens}; else: {_text(node.otherwise, table)})"
