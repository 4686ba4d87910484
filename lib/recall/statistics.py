"""Intervals for shares that were measured in a few repeats."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

CONFIDENCE_95 = 1.959963984540054
"""Standard deviations that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`hits` of `trials`, and the Wilson interval in which the true share lies with 95 % confidence."""

    hits: int
    trials: int
    low: float
    high: float

    @property
    def share(self) -> float | None:
        """The measured share; None where nothing was tried."""
        return self.hits / self.trials if self.trials else None


def wilson_share(hits: int, trials: int, *, deviations: float = CONFIDENCE_95) -> Share:
    """Return the share with its Wilson score interval; without trials it is 0 to 1.

    Unlike the usual interval it stays within 0 and 1 and does not shrink to nothing when all or none of a few hit.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials is no share.")
    if trials == 0:
        return Share(hits=0, trials=0, low=0.0, high=1.0)
    measured, square = hits / trials, deviations**2
    centre = (measured + square / (2 * trials)) / (1 + square / trials)
    reach = deviations / (1 + square / trials) * sqrt(measured * (1 - measured) / trials + square / (4 * trials**2))
    # Rounding may leave 1e-17 where the formula says exactly 0 or 1.
    low = 0.0 if hits == 0 else max(0.0, centre - reach)
    high = 1.0 if hits == trials else min(1.0, centre + reach)
    return Share(hits=hits, trials=trials, low=low, high=high)
