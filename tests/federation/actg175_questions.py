"""What is asked of ACTG 175: a table of questions, and nothing else."""

from __future__ import annotations

from tests.federation.pooled import Question

_RISE = "avg(cd420) - avg(cd40)"

COUNTS = {
    "rows": Question("count(*) AS n"),
    "persons": Question("count(distinct person) AS persons"),
    "non-null values": Question("count(*), count(cd496), count(age)"),
    "persons by arm": Question(
        "arms, count(distinct person) AS persons", group=("arms",), tail="ORDER BY arms"
    ),
}

FIGURES = {
    "whole numbers": Question("sum(age), avg(age), stddev_samp(age), var_samp(age)"),
    "broken numbers": Question("sum(wtkg), avg(wtkg), stddev_samp(wtkg), var_samp(wtkg)"),
    "a column with nulls": Question("count(cd496), sum(cd496), avg(cd496), stddev_samp(cd496)"),
    "a 0/1 column": Question("sum(cens), avg(cens), var_samp(cens)"),
    "several columns by arm": Question(
        "arms, avg(cd40), avg(cd420), avg(cd496), stddev_samp(days), sum(wtkg)",
        group=("arms",),
        tail="ORDER BY arms",
    ),
    "few values behind a figure hide the cell": Question(
        "hemo, drugs, strat, avg(cd496) AS late", group=("hemo", "drugs", "strat")
    ),
    "no values behind a figure hide the cell": Question(
        "r, count(*) AS n, avg(cd496) AS late", group=("r",)
    ),
    "very unequal values": Question(
        "var_samp(cd820), stddev_samp(preanti)", where="preanti > 1000"
    ),
}

CONDITIONS = {
    "equal": Question("count(*)", where="arms = 1"),
    "unequal": Question("count(*), avg(age)", where="arms <> 0 AND gender = 1"),
    "less": Question("count(*), avg(wtkg)", where="age < 20"),
    "at most": Question("count(*), avg(wtkg)", where="age <= 20"),
    "more": Question("count(*)", where="age > 60"),
    "at least": Question("count(*)", where="65 <= age"),
    "nobody": Question("count(*)", where="age > 200"),
    "two regions are too few": Question("count(*), sum(days)", where="wtkg >= 125.5"),
    "not, or, and": Question(
        "count(*)", where="NOT (hemo = 1 OR drugs = 1) AND (race = 1 OR gender = 0)"
    ),
    "between": Question("count(*), avg(cd40)", where="age BETWEEN 18 AND 25"),
    "not between": Question("count(*)", where="cd40 NOT BETWEEN 200 AND 500"),
    "in": Question("count(*), sum(cens)", where="arms IN (1, 3) AND karnof NOT IN (100, 90)"),
    "is null": Question("count(*), avg(cd420)", where="cd496 IS NULL"),
    "is not null": Question("count(*), avg(cd496)", where="cd496 IS NOT NULL AND cens = 1"),
    "null is neither": Question("count(*)", where="NOT cd496 > 300"),
    "sums and products": Question("count(*)", where="strat + arms * 2 - gender > 3"),
    "quotients and rests": Question(
        "count(*)", where="karnof / 20 >= 4.5 AND karnof // 30 = 3 AND arms % 2 = 1"
    ),
    "signs and rounding": Question(
        "count(*)", where="abs(arms - 2) = 1 AND -arms < 0 AND round(karnof / 30.0) = 3"
    ),
    "coalesce and nullif": Question("count(*)", where="coalesce(nullif(arms, 0), 3) = 3"),
    "case": Question(
        "count(*)", where="CASE WHEN gender = 1 THEN drugs = 1 WHEN race = 1 THEN hemo = 0 END"
    ),
}

GROUPS = {
    "one key": Question("karnof, count(*), avg(cd40)", group=("karnof",), tail="ORDER BY karnof"),
    "two keys": Question(
        "gender, race, count(*) AS n, avg(age)",
        group=("gender", "race"),
        tail="ORDER BY gender, race",
    ),
    "cells that some region hides": Question(
        "hemo, homo, drugs, gender, count(*) AS n", group=("hemo", "homo", "drugs", "gender")
    ),
    "many small cells": Question(
        "arms, strat, karnof, symptom, count(*) AS n, sum(cens) AS events",
        group=("arms", "strat", "karnof", "symptom"),
    ),
    "a range of a measure": Question(
        "age >= 40 AS older, avg(cd40)", group=("age >= 40",), tail="ORDER BY older"
    ),
    "a key that may be null": Question(
        "cd496 >= 350 AS well, count(*), avg(cd40)",
        group=("cd496 >= 350",),
        tail="ORDER BY well DESC",
    ),
    "an arithmetic key": Question(
        "strat + 10 * arms AS code, count(*), avg(days)", group=("strat + 10 * arms",)
    ),
    "a case key, named by its alias": Question(
        "CASE WHEN age < 30 THEN 'young' WHEN age < 50 THEN 'middle' ELSE 'old' END AS band, "
        "count(*), avg(wtkg)",
        group=("CASE WHEN age < 30 THEN 'young' WHEN age < 50 THEN 'middle' ELSE 'old' END",),
        written_group="band",
    ),
    "keys named by place": Question(
        "symptom, offtrt, count(*)", group=("symptom", "offtrt"), written_group="1, 2"
    ),
    "the region": Question(
        "region, count(*), count(distinct person), avg(age)", group=("region",), tail="ORDER BY 1"
    ),
    "the region and a key": Question(
        "region, hemo, drugs, count(*)", group=("region", "hemo", "drugs")
    ),
}

PLACES = {
    "one region's table": Question("count(*), avg(wtkg)", source="macao.trial"),
    "one region's table, under an alias": Question(
        "t.arms, count(*), avg(t.cd496)",
        where="t.gender = 0",
        group=("t.arms",),
        source="hongkong.trial t",
    ),
    "one region by condition": Question("count(*), sum(age)", where="region = 'guangzhou'"),
    "two regions by condition": Question(
        "arms, count(*)", where="region IN ('hongkong', 'macao')", group=("arms",)
    ),
}

AFTERWARDS = {
    "having a count": Question(
        "strat, karnof, count(*) AS n",
        group=("strat", "karnof"),
        tail="HAVING count(*) > 100",
    ),
    "having a figure, by alias": Question(
        f"arms, {_RISE} AS rise", group=("arms",), tail="HAVING rise > 0 ORDER BY rise DESC"
    ),
    "having what is not selected": Question(
        "arms, strat, count(*)",
        group=("arms", "strat"),
        tail="HAVING avg(cd40) BETWEEN 340 AND 365 AND arms IN (0, 1, 2)",
    ),
    "descending": Question("arms, avg(days) AS d", group=("arms",), tail="ORDER BY avg(days) DESC"),
    "several orders": Question(
        "gender, arms, count(*) AS n",
        group=("gender", "arms"),
        tail="ORDER BY gender DESC, n ASC, arms",
    ),
    "nulls first": Question(
        "cd496 < 200 AS low, count(*)",
        group=("cd496 < 200",),
        tail="ORDER BY low DESC NULLS FIRST",
    ),
    "order by place, and limit": Question(
        "strat, karnof, count(*) AS n",
        group=("strat", "karnof"),
        tail="ORDER BY 3 DESC, 1, 2 LIMIT 4",
    ),
    "limit and offset": Question(
        "arms, symptom, stddev_samp(cd80) AS spread",
        group=("arms", "symptom"),
        tail="ORDER BY spread DESC LIMIT 3 OFFSET 2",
    ),
    "all at once": Question(
        "region, gender, avg(cd420) AS cd4, count(*) AS n",
        where="age BETWEEN 20 AND 55 AND karnof >= 80",
        group=("region", "gender"),
        tail="HAVING n > 30 ORDER BY gender, cd4 DESC LIMIT 5",
    ),
}

ARITHMETIC = {
    "a difference": Question(f"arms, {_RISE} AS rise", group=("arms",), tail="ORDER BY arms"),
    "a rate": Question(
        "arms, 100.0 * sum(cens) / count(*) AS percent, sum(cens) / sum(days) * 365.25 AS a_year",
        group=("arms",),
        tail="ORDER BY arms",
    ),
    "rounding": Question(
        "round(avg(age), 2) AS r, floor(avg(age)) AS f, ceil(avg(age)) AS c, "
        "abs(avg(cd40) - avg(cd420)) AS a"
    ),
    "whole quotient and rest": Question("count(*) // 7 AS q, count(*) % 7 AS r, -count(*) AS m"),
    "a case": Question(
        f"arms, CASE WHEN {_RISE} > 30 THEN 'much' WHEN {_RISE} > 0 THEN 'some' ELSE 'none' END AS "
        "gain",
        group=("arms",),
        tail="ORDER BY arms",
    ),
    "a case with numbers, over a key": Question(
        "gender, CASE WHEN gender = 1 THEN sum(homo) ELSE 0 END AS men",
        group=("gender",),
    ),
    "coalesce and nullif": Question(
        "symptom, coalesce(nullif(count(*), 0), -1) AS n, nullif(symptom, 1) AS s",
        group=("symptom",),
    ),
}

QUESTIONS = {
    f"{topic}: {name}": question
    for topic, questions in {
        "counts": COUNTS,
        "figures": FIGURES,
        "conditions": CONDITIONS,
        "groups": GROUPS,
        "places": PLACES,
        "afterwards": AFTERWARDS,
        "arithmetic": ARITHMETIC,
    }.items()
    for name, question in questions.items()
}
