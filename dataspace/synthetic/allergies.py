"""The table `allergies`: substances that a patient reacts to."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataspace.synthetic import calendar
from dataspace.synthetic.arrays import dates, labels, pick
from dataspace.synthetic.illness import AGES
from dataspace.synthetic.register import Register

SUBSTANCES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("penicillin", (0.010, 0.020, 0.030, 0.040, 0.045)),
    ("sulfonamide", (0.002, 0.006, 0.010, 0.013, 0.015)),
    ("aspirin", (0.001, 0.004, 0.008, 0.012, 0.014)),
    ("contrast medium", (0.0, 0.001, 0.003, 0.006, 0.007)),
    ("latex", (0.001, 0.003, 0.004, 0.004, 0.003)),
    ("shellfish", (0.012, 0.025, 0.025, 0.020, 0.015)),
    ("peanut", (0.010, 0.006, 0.003, 0.002, 0.001)),
    ("egg", (0.022, 0.004, 0.002, 0.001, 0.001)),
    ("cow's milk", (0.025, 0.004, 0.002, 0.001, 0.001)),
    ("house dust mite", (0.050, 0.080, 0.050, 0.030, 0.020)),
    ("pollen", (0.015, 0.030, 0.025, 0.015, 0.010)),
)
SEVERITIES = ("mild", "moderate", "severe")
SEVERITY_WEIGHTS = (0.62, 0.30, 0.08)


def allergies(rng: np.random.Generator, register: Register) -> pa.Table:
    """One row for each allergy of a patient."""
    rates = np.stack([np.interp(register.age, AGES, rates) for _, rates in SUBSTANCES], axis=1)
    found, substance = (
        axis.astype(np.int64) for axis in np.nonzero(rng.random(rates.shape) < rates)
    )
    return pa.table(
        {
            "patient_id": register.ids.take(pa.array(found)),
            "substance": labels([name for name, _ in SUBSTANCES], substance),
            "severity": labels(SEVERITIES, pick(rng, SEVERITY_WEIGHTS, len(found))),
            "noted_on": dates(calendar.between(rng, register.birth[found])),
        }
    )
