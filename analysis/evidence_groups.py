"""Claims about several arms, or several tasks, taken together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from analysis import across_tasks, learning, statistics
from analysis.claim_file import Claim
from analysis.evidence_types import Comparison, Effect, Found, difference
from analysis.load import ArmResult

#: Probability of improvement of an arm over its equal.
EVEN = 0.5


def shared_seeds(arms: Sequence[ArmResult]) -> list[int]:
    """Seeds that finished in every arm, in order."""
    common = set.intersection(*({run.seed for run in arm.runs} for arm in arms))
    return sorted(common)


def trend(claim: Claim, found: Found) -> list[Comparison]:
    """The metric rises (or falls) along the arms in their order; blocks are seeds times tasks."""
    by_task = [[found[str(arm), task] for arm in claim.left] for task in claim.tasks]
    blocks = np.concatenate([_blocks(arms, claim.metric) for arms in by_task])
    rising = blocks if claim.value == "increasing" else blocks[:, ::-1]
    p, opposite = learning.page_trend(rising), learning.page_trend(rising[:, ::-1])
    ordered = np.tile(np.arange(rising.shape[1], dtype=np.float64), (len(rising), 1))
    ends = statistics.welch_greater(blocks[:, -1], blocks[:, 0])
    first, last, *between = [arm for arms in by_task for arm in (arms[0], arms[-1], *arms[1:-1])]
    return [
        Comparison(
            left=first,
            right=last,
            welch=ends,
            p=p,
            p_direction=p,
            p_opposite=opposite,
            p_permutation=p,
            p_smallest=learning.page_trend(ordered),
            # Which of the two orders the ranks are closer to; there is no size to plan runs with.
            power_gap=opposite - p,
            sd=(0.0, 0.0),
            effect=difference(ends, "difference, last arm minus first"),
            others=tuple(between),
        )
    ]


def _blocks(arms: Sequence[ArmResult], metric: str) -> statistics.Array:
    """[shared seeds, arms]: each row one seed, so that what a seed adds to all arms cancels."""
    seeds = shared_seeds(arms)
    columns = []
    for arm in arms:
        by_seed = {
            run.seed: reading.value
            for run, reading in zip(arm.runs, arm.readings(metric), strict=True)
        }
        columns.append([by_seed[seed] for seed in seeds])
    return np.array(columns, dtype=np.float64).T


def improvement(claim: Claim, found: Found) -> list[Comparison]:
    """A run of left beats a run of right on the same task with a probability above one half."""
    return [
        _improvement(
            claim.metric,
            [found[str(left), task] for task in claim.tasks],
            [found[str(right), task] for task in claim.tasks],
        )
        for left, right in itertools.product(claim.left, claim.right)
    ]


def _improvement(metric: str, left: Sequence[ArmResult], right: Sequence[ArmResult]) -> Comparison:
    x, y = [arm.values(metric) for arm in left], [arm.values(metric) for arm in right]
    test = across_tasks.improvement_greater(x, y)
    found = across_tasks.bootstrap(across_tasks.probability_of_improvement, x, y)
    ours = np.concatenate(x), np.concatenate(y)
    return Comparison(
        left=left[0],
        right=right[0],
        welch=statistics.welch_greater(*ours),
        p=test.p,
        p_direction=test.p,
        p_opposite=across_tasks.improvement_greater(y, x).p,
        p_permutation=test.p,
        p_smallest=test.smallest,
        power_gap=found.value - EVEN,
        sd=(0.0, 0.0),
        effect=Effect("probability of improvement", found.value, found.low, found.high),
        others=(*left[1:], *right[1:]),
    )
