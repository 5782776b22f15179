"""The ledger: every claim of every paper with its evidence and its verdict.

``python -m analysis.claims --tier quick`` writes `results/quick/claims.csv`.
"""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.claim_file import Claim, Place
from analysis.evidence import JUDGED_KINDS, Combined, arms_of, combine, to_evidence
from analysis.files import write_text
from analysis.labels import setting
from analysis.load import ArmResult, Results
from analysis.statistics import ALPHA, Array, holm
from analysis.verdicts import Judgement, Verdict, gate, judge
from analysis.workspace import Workspace, command_line
from paper_tables.paths import TierPaths

COLUMNS = (
    "paper",
    "id",
    "verdict",
    "reason",
    "claim",
    "source",
    "contradicted",
    "kind",
    "arms",
    "tasks",
    "metric",
    "experiment",
    "level",
    "setting",
    "n",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "p_opposite_holm",
    "p_permutation",
    "p_permutation_smallest",
    "claims_judged_together",
    "seeds_needed",
    "runs",
    "note",
)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    claim: Claim
    judgement: Judgement
    place: Place | None = None
    combined: Combined | None = None
    p: float = math.nan
    p_holm: float = math.nan
    p_opposite_holm: float = math.nan
    family: int = 0

    @property
    def judged(self) -> bool:
        """Whether the runs were compared."""
        return self.combined is not None


@dataclass(frozen=True)
class _Open:
    """A claim whose runs were compared and which waits for the others of its paper."""

    claim: Claim
    place: Place
    combined: Combined

    @property
    def p(self) -> tuple[float, float, float]:
        """Raw p values of claim, direction and opposite."""
        combined = self.combined
        return (
            combined.p(lambda c: c.p),
            combined.p(lambda c: c.p_direction),
            combined.p_opposite,
        )


def ledger(claims: Sequence[Claim], results: Results, space: Workspace) -> list[Entry]:
    """Judge the claims of one paper against the results of one tier, in their order."""
    prepared = {claim.id: _prepare(claim, results, space) for claim in claims}
    waiting = [entry for entry in prepared.values() if isinstance(entry, _Open)]
    closed = {entry.claim.id: entry for entry in _judge_together(waiting)}
    return [closed[key] if isinstance(e, _Open) else e for key, e in prepared.items()]


def _prepare(claim: Claim, results: Results, space: Workspace) -> Entry | _Open:
    """Find what a claim needs; it is closed at once where there is nothing to compare."""
    if space.judged == "none":
        reason = f"tier {space.tier} proves that everything runs, its budgets mean nothing"
        return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason))
    order = space.tiers
    place = claim.place(space.tier, order, listed=space.judged == "listed")
    if place is None and order.index(space.tier) < order.index(claim.minimum_tier):
        reason = f"budget too small: judged from tier {claim.minimum_tier} on"
        return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason))
    if claim.kind not in JUDGED_KINDS:
        reason = f"no decision rule for claims of kind '{claim.kind}'"
        return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason), place)
    if place is None:
        reason = f"nothing measures '{claim.metric}' for it"
        return Entry(claim, Judgement(Verdict.NOT_RUN, reason))
    states, pairs = arms_of(claim, results, f"{claim.paper}/{place.experiment}")
    closed = gate(states)
    if closed is not None:
        return Entry(claim, closed, place)
    return _Open(claim, place, combine(claim, pairs))


def _judge_together(waiting: Sequence[_Open]) -> list[Entry]:
    """Adjust over all claims compared in this tier (Holm), then judge each."""
    if not waiting:
        return []
    raw = [entry.p for entry in waiting]
    adjusted = [holm(column) for column in zip(*raw, strict=True)]
    entries = []
    for row, entry in enumerate(waiting):
        claim_p, direction_p, opposite_p = (float(column[row]) for column in adjusted)
        # The first step of Holm is the hardest; planning for it is planning for the worst case.
        needed = entry.combined.seeds_needed(ALPHA / len(waiting))
        evidence = to_evidence(entry.combined, (claim_p, direction_p, opposite_p), needed)
        entries.append(
            Entry(
                claim=entry.claim,
                judgement=judge(evidence, entry.place.level),
                place=entry.place,
                combined=entry.combined,
                # What decided: at level `direction` the test of the sign alone.
                p=raw[row][entry.place.level == "direction"],
                p_holm=direction_p if entry.place.level == "direction" else claim_p,
                p_opposite_holm=opposite_p,
                family=len(waiting),
            )
        )
    return entries


def number(value: float, digits: int = 4) -> str:
    """A number for a CSV file: so many significant digits, empty when there is none."""
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def _values(arm: ArmResult, values: Array) -> str:
    seeds = " ".join(number(float(value)) for value in values)
    return f"{arm.arm.algo} {arm.arm.task} {arm.arm.cell}: {seeds}"


def _evidence_fields(entry: Entry) -> dict[str, str]:
    """The columns that only a judged claim has."""
    combined = entry.combined
    if combined is None:
        return {}
    arms = {id(arm): arm for c in combined.comparisons for arm in (c.left, c.right) if arm}
    fields = {
        "setting": setting(list(arms.values())),
        "n": " ".join(sorted({str(len(arm.runs)) for arm in arms.values()})),
        "p": number(entry.p),
        "p_holm": number(entry.p_holm),
        "p_opposite_holm": number(entry.p_opposite_holm),
        "p_permutation": number(combined.p(lambda c: c.p_permutation)),
        "p_permutation_smallest": number(combined.p(lambda c: c.p_smallest)),
        "claims_judged_together": str(entry.family),
        "seeds_needed": str(entry.judgement.seeds_needed or ""),
        "runs": "; ".join(_values(arm, arm.values(entry.claim.metric)) for arm in arms.values()),
    }
    if len(combined.comparisons) == 1:
        welch = combined.comparisons[0].welch
        fields["difference"] = number(welch.difference)
        fields["low"] = number(welch.difference - welch.half_width)
        fields["high"] = number(welch.difference + welch.half_width)
    return fields


def row(entry: Entry) -> dict[str, str]:
    """One line of `claims.csv` as text by column."""
    claim, place = entry.claim, entry.place
    fields = dict.fromkeys(COLUMNS, "")
    fields |= {
        "paper": claim.paper,
        "id": claim.id,
        "verdict": entry.judgement.verdict.value,
        "reason": entry.judgement.reason,
        "claim": claim.claim,
        "source": claim.source,
        "contradicted": claim.contradicted,
        "kind": claim.kind,
        "arms": claim.arms,
        "tasks": ";".join(claim.tasks),
        "metric": claim.metric,
        "experiment": place.experiment if place else "",
        "level": place.level if place else "",
        "note": claim.note,
    }
    return fields | _evidence_fields(entry)


def render(entries: Sequence[Entry]) -> str:
    """The ledger as CSV text."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(entry) for entry in entries)
    return buffer.getvalue()


def write(entries: Sequence[Entry], space: Workspace) -> Path:
    """Write `results/{tier}/claims.csv`."""
    return write_text(space.root / TierPaths(space.tier).claims, render(entries))


def judge_all(space: Workspace, results: Results) -> list[Entry]:
    """The ledger over every paper of the workspace; p values are adjusted within a paper."""
    return [e for paper in space.papers for e in ledger(space.claims(paper), results, space)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line when the input cannot be used."""

    def run(space: Workspace) -> None:
        entries = judge_all(space, space.load())
        print(f"{write(entries, space)}: {len(entries)} claims")

    return command_line(run, "Judge every claim of a tier.", arguments)


if __name__ == "__main__":
    sys.exit(main())
