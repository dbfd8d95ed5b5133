"""The regions: their districts, ages and area codes. Data alone.

Age shares are rounded from what the three statistics offices publish of their residents;
they are plausible, not official.
"""

from __future__ import annotations

import datetime

REGIONS = ("guangzhou", "hongkong", "macao")
GUANGZHOU, HONGKONG, MACAO = range(3)

REFERENCE_DATE = datetime.date(2026, 1, 1)
REFERENCE_DAY = (REFERENCE_DATE - datetime.date(1970, 1, 1)).days
"""Ages are counted on this day, and nothing happens on or after it."""

PATIENT_PREFIX = ("GZ", "HK", "MO")

DISTRICTS: tuple[tuple[str, ...], ...] = (
    (
        "Baiyun",
        "Conghua",
        "Haizhu",
        "Huadu",
        "Huangpu",
        "Liwan",
        "Nansha",
        "Panyu",
        "Tianhe",
        "Yuexiu",
        "Zengcheng",
    ),
    (
        "Central and Western",
        "Eastern",
        "Islands",
        "Kowloon City",
        "Kwai Tsing",
        "Kwun Tong",
        "North",
        "Sai Kung",
        "Sha Tin",
        "Sham Shui Po",
        "Southern",
        "Tai Po",
        "Tsuen Wan",
        "Tuen Mun",
        "Wan Chai",
        "Wong Tai Sin",
        "Yau Tsim Mong",
        "Yuen Long",
    ),
    (
        "Cotai",
        "Nossa Senhora de Fátima",
        "Nossa Senhora do Carmo",
        "Santo António",
        "São Francisco Xavier",
        "São Lourenço",
        "São Lázaro",
        "Sé",
    ),
)

DISTRICT_WEIGHTS: tuple[tuple[float, ...], ...] = (
    (20, 4, 10, 9, 7, 6, 5, 15, 12, 6, 8),
    (3, 7, 3, 6, 7, 9, 4, 6, 9, 6, 4, 4, 4, 7, 2, 6, 4, 9),
    (0.5, 35, 16, 20, 4, 8, 5, 8),
)

AGE_BANDS = ("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80+")

AGE_WEIGHTS: tuple[tuple[float, ...], ...] = (
    (11, 10, 17, 19, 15, 13, 8, 5, 2),
    (6, 8, 11, 14, 16, 16, 15, 9, 5),
    (9, 8, 14, 19, 15, 14, 12, 6, 3),
)

# GB/T 2260 codes of places of first registration, with a weight for each place of a line:
# Guangzhou's districts, then the rest of Guangdong, then other provinces.
_AREAS = (
    (6.0, "440103 440104 440105 440106 440111 440112 440113 440114 440115 440117 440118"),
    (1.0, "440305 440402 440507 440604 440605 440703 440803 440902 441202 441302"),
    (1.0, "441402 441502 441702 441802 441900 442000 445102 445202 445302"),
    (1.5, "350102 360102 420102 430102 450102 510104"),
)
AREA_CODES = tuple(int(code) for _, line in _AREAS for code in line.split())
AREA_WEIGHTS = tuple(weight for weight, line in _AREAS for _ in line.split())
