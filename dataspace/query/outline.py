"""A query tree as lines that a person reads. Values alone."""

from __future__ import annotations

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


def _text(node: Scalar | Outcome) -> str:
    match node:
        case Literal():
            return repr(node.value) if isinstance(node.value, str) else str(node.value)
        case ColumnRef():
            return f"{node.table}.{node.name}" if node.table else node.name
        case KeyRef():
            return f"key {node.index}"
        case AggregateRef():
            return f"aggregate {node.index}"
        case Operation() | OutcomeOperation():
            inner = [_text(each) for each in node.arguments]
            if len(inner) == 2 and not node.name.replace("_", "").isalpha():
                return f"({inner[0]} {node.name} {inner[1]})"
            return f"{node.name}({', '.join(inner)})"
        case CaseWhen() | OutcomeCase():
            whens = "; ".join(f"{_text(c)}: {_text(v)}" for c, v in node.branches)
            return f"case({whens}; else: {_text(node.otherwise)})"
