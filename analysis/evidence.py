"""What the runs say about a claim: its arms, its comparisons and their p values.

Comparisons of each kind are made in `evidence_order`, `evidence_size` and `evidence_groups`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from analysis import evidence_groups, evidence_order, evidence_size
from analysis.claim_file import ArmPattern, Claim
from analysis.evidence_types import Combined, Comparison, Effect, Found
from analysis.load import ArmResult, Results
from analysis.metrics import Reading, parse_metric
from analysis.verdicts import FEWEST_RUNS, ArmState, Evidence

__all__ = ["Combined", "Comparison", "Effect", "arms_of", "combine", "find"]

Compare = Callable[[Claim, Found], list[Comparison]]

#: How the runs of each kind of claim are compared.
COMPARE: Mapping[str, Compare] = {
    "greater": evidence_order.greater,
    "not_less": evidence_order.greater,
    "count": evidence_order.greater,
    "threshold": evidence_order.threshold,
    "best": evidence_order.best,
    "equivalent": evidence_size.equivalent,
    "ratio": evidence_size.ratio,
    "spread": evidence_size.spread,
    "trend": evidence_groups.trend,
    "improvement": evidence_groups.improvement,
}


def find(
    results: Results, experiment: str, pattern: ArmPattern, task: str
) -> tuple[ArmResult | None, str]:
    """The arm of `experiment` that `pattern` names, or None with the reason.

    Settings may be part of the experiment for every arm (`networks=small`), so the pattern names
    only what singles its arm out; with no settings that is the arm with the fewest of its own.
    `experiment` is `paper/name`, or `paper/name+name` for arms that lie in several.
    """
    paper, _, names = experiment.partition("/")
    arms = [
        arm
        for name in names.split("+")
        for arm in results.select(f"{paper}/{name}", pattern.algo, task)
    ]
    fitting = [arm for arm in arms if pattern.fits(arm.declared)]
    if not fitting:
        return None, f"tier {results.tier} has no such arm in experiment {names}"
    sizes = [arm.arm.cell.count("=") for arm in fitting]
    best = [arm for arm, size in zip(fitting, sizes, strict=True) if size == min(sizes)]
    if len({arm.arm.cell for arm in best}) > 1:
        cells = ", ".join(arm.arm.cell for arm in best)
        return None, f"several arms fit ({cells}); the claim must name the setting"
    return best[0], ""


def arms_of(claim: Claim, results: Results, experiment: str) -> tuple[list[ArmState], Found]:
    """States of all arms that a claim names, and those of them that exist."""
    states: dict[str, ArmState] = {}
    found: dict[tuple[str, str], ArmResult] = {}
    for task, pattern in itertools.product(claim.tasks, (*claim.left, *claim.right)):
        name = f"{pattern} on {task}"
        result, reason = find(results, experiment, pattern, task)
        if result is None:
            states[name] = ArmState(name, 0, 0, 0, reason)
            continue
        found[str(pattern), task] = result
        states[name] = _state(name, result, claim.metric)
    return list(states.values()), found


def _state(name: str, result: ArmResult, metric: str) -> ArmState:
    arm, not_run = result.arm, None
    absent = next((r.absent for r in result.readings(metric) if r.absent), None)
    if arm.status != "planned":
        not_run = arm.reason or arm.status
    elif result.problems and not result.runs and not result.failed:
        not_run = f"result left out: {result.problems[0].partition(': ')[2]}"
    elif absent:
        not_run = absent
    return ArmState(
        name=name,
        planned=len(arm.seeds),
        finished=len(result.runs),
        failed=len(result.failed),
        not_run=not_run,
        sources=frozenset(result.sources),
    )


def incomparable(claim: Claim, found: Found) -> str | None:
    """Why complete arms cannot be compared in the way of the claim; None if they can."""
    metric = parse_metric(claim.metric)
    for task in claim.tasks:
        arms = [arm for (_, where), arm in found.items() if where == task]
        readings = [reading for arm in arms for reading in arm.readings(claim.metric)]
        if metric.of_curve and not _same_budget(readings, metric.form == "auc"):
            ends = sorted({reading.end for reading in readings})
            spans = " and ".join(f"{end:,.0f}" for end in ends)
            return f"training ended at {spans}: '{claim.metric}' needs one budget for all arms"
        if claim.kind == "ratio" and any(reading.censored for reading in readings):
            return f"runs never arrive: a ratio of '{claim.metric}' is not known"
        if claim.kind == "trend":
            shared = evidence_groups.shared_seeds(arms)
            if len(shared) < FEWEST_RUNS:
                return (
                    f"arms share {len(shared)} seeds on {task}; at least {FEWEST_RUNS} are needed"
                )
    return None


def _same_budget(readings: list[Reading], whole: bool) -> bool:
    """Whether runs ended together, to within their evaluations.

    Of runs that reached a level only the moment counts, not how long they went on after it
    (`whole`: every run counts to its end).
    """
    longest = max(reading.end for reading in readings)
    return all(
        longest - reading.end < reading.spacing for reading in readings if whole or reading.censored
    )


def combine(claim: Claim, found: Found) -> Combined:
    """Compare the runs of a claim; without `k of m` all comparisons must hold."""
    comparisons = tuple(COMPARE[claim.kind](claim, found))
    return Combined(comparisons, claim.count[0] if claim.count else len(comparisons))


def to_evidence(
    combined: Combined,
    adjusted: tuple[float, float, float],
    seeds_needed: int | None,
    family: int = 1,
) -> Evidence:
    """Evidence for `verdicts.judge` from the adjusted p of claim, direction and opposite."""
    return Evidence(
        *adjusted,
        favourable=combined.favourable,
        comparisons=len(combined.comparisons),
        seeds_needed=seeds_needed,
        smallest=combined.p(lambda c: c.p_smallest),
        family=family,
        exact=combined.p(lambda c: c.p) == combined.p(lambda c: c.p_permutation),
    )
