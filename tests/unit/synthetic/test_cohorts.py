"""Cohorts: each region can be drawn by itself, and no two cohorts give out one number."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dataspace.synthetic.cohorts import MAX_PATIENTS, cohorts
from dataspace.synthetic.people import draw_people
from dataspace.synthetic.places import GUANGZHOU
from dataspace.synthetic.streams import stream


@pytest.mark.parametrize("patients", [1, 7, 1000, 12_345, MAX_PATIENTS])
def test_every_region_is_filled_and_human_ids_follow_each_other(patients: int) -> None:
    found = cohorts(patients)
    for region in range(3):
        assert sum(cohort.size for cohort in found if region in cohort.regions) == patients
    for one, following in itertools.pairwise(found):
        assert one.first + one.size == following.first


def test_cohorts_with_mainland_people_share_no_sequence_numbers() -> None:
    slots = sorted(cohort.sequences for cohort in cohorts(1000) if GUANGZHOU in cohort.regions)
    assert slots[0][0] == 0
    assert slots[-1][1] == 500
    assert all(one[1] <= following[0] for one, following in itertools.pairwise(slots))


def test_people_keep_to_the_sequence_numbers_of_their_cohort() -> None:
    for cohort in cohorts(20_000):
        people = draw_people(stream(3, cohort.name), cohort)
        assert cohort.sequences[0] <= people.sequence.min()
        assert people.sequence.max() < cohort.sequences[1]
        assert np.array_equal(people.human, cohort.first + np.arange(cohort.size))
