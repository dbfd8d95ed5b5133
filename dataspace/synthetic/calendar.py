"""Days, dates and ages, in whole columns. A day is counted from 1970-01-01."""

from __future__ import annotations

import numpy as np

from dataspace.synthetic.arrays import Ints
from dataspace.synthetic.places import REFERENCE_DATE, REFERENCE_DAY


def civil(days: Ints) -> tuple[Ints, Ints, Ints]:
    """Year, month and day of the month."""
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    years = date.astype("datetime64[Y]").astype(np.int64) + 1970
    return years, month.astype(np.int64) % 12 + 1, (date - month).astype(np.int64) + 1


def day_number(year: Ints, month: Ints, day: Ints) -> Ints:
    """The day of a date; 29 February of a common year is 1 March."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + day - 1


def ages(birth: Ints) -> Ints:
    """Full years on the reference date, which is a 1 January."""
    year, month, day = civil(birth)
    birthday = (month == REFERENCE_DATE.month) & (day == REFERENCE_DATE.day)
    return REFERENCE_DATE.year - year - np.where(birthday, 0, 1)


def between(rng: np.random.Generator, earliest: Ints) -> Ints:
    """A day from `earliest` up to the eve of the reference date."""
    span = np.maximum(REFERENCE_DAY - earliest, 1)
    return earliest + (rng.random(len(earliest)) * span).astype(np.int64)
