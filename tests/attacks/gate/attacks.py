"""The table of attacks, as it stands in `statements/`, and those too large to write down."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Attack:
    """A statement, what comes of it, and why it would be an attack.

    `outcome`: `malformed` or `refused`, each with its code; `hidden`, where the answer shows
    nothing; `answered`, where it shows what may be shown.
    """

    statement: str
    outcome: str
    code: str
    reason: str


def written_down(folder: str = "statements") -> list[Attack]:
    """Every attack of a folder's tables, in their order."""
    return [
        Attack(statement, block["outcome"], block["code"], block["reason"])
        for file in sorted((_HERE / folder).glob("*.toml"))
        for block in tomllib.loads(file.read_text(encoding="utf-8"))["attack"]
        for statement in block["statements"]
    ]


COUNT = "select count(*) from trial"
WHERE = f"{COUNT} where "


def _ladder(branches: int) -> str:
    return " ".join(f"when arm = {number} then cost" for number in range(branches))


def _wide_cte(uses: int) -> str:
    values = ", ".join(map(str, range(500)))
    many = " and ".join(["k"] * uses)
    return (
        f"with c as (select person, arm in ({values}) as k from trial) {COUNT[:-5]}c where {many}"
    )


# name: statement, code
LARGE: dict[str, tuple[str, str]] = {
    "brackets": (WHERE + "(" * 41 + "true" + ")" * 41, "too-deep"),
    "four thousand brackets": (WHERE + "(" * 3_900 + "1" + ")" * 3_900, "too-long"),
    "not": (WHERE + "not " * 1_900 + "true", "too-deep"),
    "minus": (WHERE + "- " * 1_900 + "1 = arm", "too-deep"),
    "plus": (WHERE + "arm" + " + 1" * 900 + " = 1", "too-deep"),
    "and": (WHERE + " and ".join(["arm = 1"] * 480), "too-deep"),
    "or": (WHERE + " or ".join(["cost > 1"] * 480), "too-deep"),
    "case": (WHERE + "case when true then " * 150 + "1" + " end" * 150 + " = 1", "too-deep"),
    "casts": (WHERE + "arm" + "::int" * 900 + " = 1", "too-deep"),
    "coalesce": (
        WHERE + "coalesce(" * 39 + "arm" + " + 1" * 70 + ", 1)" * 39 + " = 1",
        "too-deep",
    ),
    "subqueries": (WHERE + "(select " * 39 + "1" + ")" * 39, "too-deep"),
    "nested CTEs": ("with c as (" * 38 + "select 1" + ")" * 38 + COUNT, "syntax"),
    "arrays": (WHERE + "array[(" * 20 + "1" + ")]" * 20, "too-hard"),
    "two arrays": (WHERE + "[[" * 30 + "1" + "]]" * 30, "unlisted"),
    "structs": ("select " + "struct(" * 38 + "1" + ")" * 38, "too-hard"),
    "braces": ("select " + "{'a': " * 30 + "1" + "}" * 30, "unlisted"),
    "dates": ("select " + "date (" * 18 + "1" + ")" * 18, "too-hard"),
    "maps": ("select " + "map(" * 39 + "1" + ")" * 39, "too-hard"),
    "unclosed": ("select " + "f(" * 40, "too-deep"),
    "text": (WHERE + f"sex = '{'x' * 501}'", "literal"),
    "long text": (WHERE + f"sex = '{'x' * 8_000}'", "too-long"),
    "wide letters": (WHERE + f"sex = '{chr(0x1F4A3) * 501}'", "literal"),
    "digits": (WHERE + "arm = " + "9" * 39, "literal"),
    "seven thousand digits": (WHERE + "arm = " + "9" * 7_000, "literal"),
    "exponent": (WHERE + "arm = 1e301", "literal"),
    "long exponent": (WHERE + "arm = 1e" + "9" * 100, "literal"),
    "limit": (COUNT + " limit " + "9" * 7_000, "limit"),
    "list": (WHERE + "arm in (" + "1, " * 1_900 + "1)", "too-long"),
    "blanks": (WHERE + " " * 8_000 + "true", "too-long"),
    "name": (WHERE + "a" * 64 + " = 1", "identifier"),
    "joins": (
        COUNT + "".join(f" join visits v{n} on trial.person = v{n}.person" for n in range(60)),
        "join",
    ),
    "edges": (f"select histogram(age, {list(range(65))}) from trial", "histogram"),
    # short, and long once every condition before a branch and every CTE's name is written out
    "ladder": (f"select sum(case {_ladder(200)} end) from trial", "too-hard"),
    "ladders": (
        "select "
        + ", ".join(
            f"sum(case {_ladder(40)} end) filter (where arm < {number}) as a{number}"
            for number in range(5)
        )
        + " from trial",
        "too-long",
    ),
    "a CTE's name over and over": (_wide_cte(80), "too-long"),
    "a CTE's name within": (
        "with c as (select person, " + "not (" * 38 + "smoker" + ")" * 38 + " as k from trial) "
        "select count(*) from c where " + "not (" * 38 + "k" + ")" * 38,
        "too-deep",
    ),
    "multipliers": ("select sum(" + "1e300 * " * 90 + "cost) from trial", "aggregate-argument"),
}  # fmt: skip
