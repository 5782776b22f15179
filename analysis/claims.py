"""The ledger: every claim of every paper with its evidence and its verdict.

``python -m analysis.claims --tier quick [--paper romi] [--verdict inconclusive]`` writes
`results/quick/claims.csv` and prints it, as a table on a terminal and as tab-separated text in a pipe.
The file always holds every paper; `--paper` and `--verdict` choose what is printed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.claim_file import Claim, Place
from analysis.errors import exit_code
from analysis.evidence import Combined, arms_of, combine, incomparable, to_evidence
from analysis.files import write_text
from analysis.ledger import COLUMNS, number, print_ledger, render, row
from analysis.load import ArmResult, Results
from analysis.statistics import ALPHA, holm
from analysis.verdicts import RULES, Judgement, Verdict, gate, judge
from analysis.workspace import Workspace, from_options, options_parser
from paper_tables.errors import select
from paper_tables.paths import TierPaths

__all__ = ["COLUMNS", "Entry", "judge_all", "ledger", "number", "render", "row", "write"]


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    `p` is the raw p value that decided, `p_holm` the one after adjusting over the `family` of claims
    judged together: those of the paper, or our own controls of them. `shown` are the arms whose
    numbers stand beside a claim that is not judged.
    """

    claim: Claim
    judgement: Judgement
    place: Place | None = None
    combined: Combined | None = None
    p: float = math.nan
    p_holm: float = math.nan
    p_opposite_holm: float = math.nan
    family: int = 0
    shown: tuple[ArmResult, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether the runs were compared."""
        return self.combined is not None

    @property
    def arms(self) -> tuple[ArmResult, ...]:
        """Arms whose numbers stand on this line."""
        return self.combined.arms if self.combined else self.shown


@dataclass(frozen=True)
class _Open:
    """A claim whose runs were compared and which waits for the others of its paper."""

    claim: Claim
    place: Place
    combined: Combined

    @property
    def p(self) -> tuple[float, float, float]:
        """Raw p values of claim, direction and opposite; where one is not defined nothing is shown."""
        combined = self.combined
        raw = (
            combined.p(lambda c: c.p),
            combined.p(lambda c: c.p_direction),
            combined.p_opposite,
        )
        claim, direction, opposite = (1.0 if math.isnan(value) else value for value in raw)
        return claim, direction, opposite


def ledger(claims: Sequence[Claim], results: Results, space: Workspace) -> list[Entry]:
    """Judge the claims of one paper against the results of one tier.

    They come in their order, but a control stands right behind the claim that it qualifies.
    """
    prepared = {claim.id: _prepare(claim, results, space) for claim in claims}
    waiting = [entry for entry in prepared.values() if isinstance(entry, _Open)]
    # Our own questions must not make it harder to decide what the paper claims.
    families = [[e for e in waiting if bool(e.claim.qualifies) is ours] for ours in (False, True)]
    closed = {e.claim.id: e for family in families for e in _judge_together(family)}
    return _beside([closed[key] if isinstance(e, _Open) else e for key, e in prepared.items()])


def _beside(entries: Sequence[Entry]) -> list[Entry]:
    """Move every control right behind its claim (controls of controls follow them)."""
    controls: dict[str, list[Entry]] = {}
    known = {entry.claim.id for entry in entries}
    for entry in entries:
        target = entry.claim.qualifies
        controls.setdefault(target if target in known - {entry.claim.id} else "", []).append(entry)

    def with_controls(entry: Entry) -> list[Entry]:
        own = controls.pop(entry.claim.id, [])
        return [entry, *(line for control in own for line in with_controls(control))]

    first = [line for entry in controls.pop("", []) for line in with_controls(entry)]
    # Claims that qualify each other in a circle have no first one.
    return [*first, *(entry for circle in controls.values() for entry in circle)]


def _prepare(claim: Claim, results: Results, space: Workspace) -> Entry | _Open:
    """Find what a claim needs; it is closed at once where there is nothing to compare."""
    if space.judged == "none":
        reason = f"tier {space.tier} proves that everything runs, its budgets mean nothing"
        return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason))
    order = space.tiers
    place = claim.place(space.tier, order, listed=space.judged == "listed")
    if claim.kind not in RULES:
        return _describe(claim, results, place)
    if place is None and order.index(space.tier) < order.index(claim.minimum_tier):
        reason = f"budget too small: judged from tier {claim.minimum_tier} on"
        return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason))
    if place is None and claim.judged_on:
        reason = f"not judged in tier {space.tier}, only in {', '.join(claim.judged_on)}"
        return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason))
    if place is None:
        reason = f"nothing measures '{claim.metric}' for it"
        return Entry(claim, Judgement(Verdict.NOT_RUN, reason))
    states, found = arms_of(claim, results, f"{claim.paper}/{place.experiment}")
    closed = gate(states)
    if closed is not None:
        return Entry(claim, closed, place, shown=tuple(found.values()))
    reason = incomparable(claim, found) or ""
    if reason:
        judgement = Judgement(Verdict.NOT_JUDGED, reason)
        return Entry(claim, judgement, place, shown=tuple(found.values()))
    return _Open(claim, place, combine(claim, found))


def _describe(claim: Claim, results: Results, place: Place | None) -> Entry:
    """A description is never judged; its numbers are shown where an experiment has them."""
    shown: tuple[ArmResult, ...] = ()
    if place is not None and claim.metric:
        found = arms_of(claim, results, f"{claim.paper}/{place.experiment}")[1]
        shown = tuple(arm for arm in found.values() if arm.values(claim.metric).size)
    reason = "a description" if shown else "a description; nothing measures it in this tier"
    return Entry(claim, Judgement(Verdict.NOT_JUDGED, reason), place, shown=shown)


def _judge_together(waiting: Sequence[_Open]) -> list[Entry]:
    """Adjust over claims compared in this tier (Holm), then judge each."""
    if not waiting:
        return []
    raw = [entry.p for entry in waiting]
    adjusted = [holm(column) for column in zip(*raw, strict=True)]
    entries = []
    for place, entry in enumerate(waiting):
        claim_p, direction_p, opposite_p = (float(column[place]) for column in adjusted)
        # The first step of Holm is the hardest; planning for it is planning for the worst case.
        needed = entry.combined.seeds_needed(ALPHA / len(waiting))
        adjusted_p = (claim_p, direction_p, opposite_p)
        evidence = to_evidence(entry.combined, adjusted_p, needed, len(waiting))
        entries.append(
            Entry(
                claim=entry.claim,
                judgement=judge(evidence, entry.place.level, kind=entry.claim.kind),
                place=entry.place,
                combined=entry.combined,
                # What decided: at level `direction` the test of the sign alone.
                p=raw[place][entry.place.level == "direction"],
                p_holm=direction_p if entry.place.level == "direction" else claim_p,
                p_opposite_holm=opposite_p,
                family=len(waiting),
            )
        )
    return entries


def write(entries: Sequence[Entry], space: Workspace) -> Path:
    """Write `results/{tier}/claims.csv`."""
    return write_text(space.root / TierPaths(space.tier).claims, render(entries))


def judge_all(space: Workspace, results: Results) -> list[Entry]:
    """The ledger over every paper of the workspace; p values are adjusted within a paper."""
    return [e for paper in space.papers for e in ledger(space.claims(paper), results, space)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line when the input cannot be used."""
    parser = options_parser("Judge every claim of a tier, write the ledger and print it.")
    names = [verdict.value for verdict in Verdict]
    parser.add_argument("--verdict", action="append", choices=names, help="print only these")
    options = parser.parse_args(arguments)

    def run() -> None:
        space = from_options(options, papers=None)
        select(options.paper or [], space.papers, "--paper", "paper")
        space.check()
        results = space.load()
        entries = judge_all(space, results)
        path = write(entries, space)
        chosen = [
            entry
            for entry in entries
            if (not options.paper or entry.claim.paper in options.paper)
            and (not options.verdict or entry.judgement.verdict in options.verdict)
        ]
        print_ledger(space.tier, chosen, results.problems, path)

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
