"""A Prometheus histogram that counts many alike observations in one step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class WeightedHistogram(Collector):
    """A histogram whose `observe` takes a weight: a commit of an hour's rows is one step for each poll that
    read them, not one for each row.
    """

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """`buckets` are upper bounds, ascending, without the last one that has no bound."""
        self._name, self._text, self._labels = name, text, tuple(labels)
        self._bounds = tuple(buckets)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = Lock()
        registry.register(self)

    def begin(self, *labels: str) -> None:
        """Tell these labels' values from now on, with 0 observations: a first one is then an increase."""
        with self._lock:
            self._counts.setdefault(labels, [0] * (len(self._bounds) + 1))
            self._sums.setdefault(labels, 0.0)

    def observe(self, value: float, weight: int, *labels: str) -> None:
        """`weight` observations of `value`."""
        self.begin(*labels)
        with self._lock:
            self._counts[labels][bisect_left(self._bounds, value)] += weight
            self._sums[labels] += value * weight

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The histogram without its values."""
        return [self._family()]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The histogram as it stands."""
        family = self._family()
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        with self._lock:
            for labels, counts in self._counts.items():
                buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
                family.add_metric(labels, buckets, self._sums[labels])
        return [family]

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._text, labels=self._labels)
