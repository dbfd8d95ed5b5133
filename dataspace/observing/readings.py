"""Gauges that are read when somebody looks at the page, and cost nothing until then.

A reading that fails is left out of the page and counted; the others stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Values = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class Reading:
    """One gauge. `read` gives label values and a value for each of its series."""

    name: str
    help: str
    read: Callable[[], Values]
    labels: tuple[str, ...] = ()


def single(name: str, help_: str, read: Callable[[], float | None]) -> Reading:
    """A gauge of one series; absent from the page while it reads None."""

    def values() -> Values:
        value = read()
        return () if value is None else (((), float(value)),)

    return Reading(name, help_, values)


class Readings(Collector):
    """The readings of one process, as a collector of its registry."""

    def __init__(self, registry: CollectorRegistry, readings: Iterable[Reading]) -> None:
        self._readings = tuple(readings)
        self._failed: dict[str, int] = {}
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """The names alone: nothing is read to register."""
        return [
            GaugeMetricFamily(each.name, each.help, labels=each.labels) for each in self._readings
        ]

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        for each in self._readings:
            family = GaugeMetricFamily(each.name, each.help, labels=each.labels)
            try:
                for labels, value in each.read():
                    family.add_metric(labels, value)
            except Exception:
                # Whatever it is that cannot be read, the page is how the operator learns of it.
                self._failed[each.name] = self._failed.get(each.name, 0) + 1
                continue
            yield family
        failures = CounterMetricFamily(
            "gba_reading_failures", "Readings that failed, by metric.", labels=("metric",)
        )
        for name, count in sorted(self._failed.items()):
            failures.add_metric((name,), count)
        yield failures
