"""What the report shows of the ledger: a claim, its verdict, and the evidence behind it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis import claims
from analysis.claims import Entry
from analysis.evidence_types import Comparison, Effect
from analysis.labels import DASH
from analysis.ledger import CONTRADICTED
from analysis.render_html import Badge, Links, badge, slug
from analysis.report_words import count, difference, p_value, with_ends
from analysis.tables import SPEAKING
from analysis.verdicts import Verdict

#: What a verdict says, for the reading guide.
MEANINGS = {
    Verdict.REPRODUCED: "The claim holds: p at most 0.05 after adjusting for all claims judged with it.",
    Verdict.DIRECTION_ONLY: "The sign of the difference is shown by the same rule, but with reduced "
    "networks or budget, or short of the margin that the claim demands.",
    Verdict.NOT_REPRODUCED: "The opposite holds, by the same rule.",
    Verdict.INCONCLUSIVE: "Neither is shown, or a run failed.",
    Verdict.NOT_RUN: "An arm is not implemented, not in this tier, or its runs are missing.",
    Verdict.NOT_JUDGED: "The budget of this tier is too small for the claim, or no rule decides it.",
}

#: Columns of the ledger that a claim's own line shows already.
SHOWN = frozenset(("paper", "id", "verdict", "reason", "claim", "contradicted", "qualifies")) | {
    "effect",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "n",
}
#: Columns that the list of comparisons says better: it leads to the runs.
LISTED = frozenset(("tasks", "runs"))
#: Words for columns of the ledger; a column without one is called by its name.
WORDS = {
    "arms": "Compared",
    "p_opposite_holm": "p of the opposite (Holm)",
    "p_permutation": "p by permutation",
    "p_permutation_smallest": "smallest p these runs can reach by permutation",
    "runs": "Single runs",
    "seeds_needed": "Runs an arm that might settle it",
}
#: Effects that have no sign: 1 or a half is what says nothing.
UNSIGNED = ("ratio", "probability")


@dataclass(frozen=True)
class Compared:
    """One comparison behind a claim: its arms (one, where it is held to a bound), and the effect."""

    task: str
    arms: tuple[tuple[str, str | None], ...]
    effect: str
    p: str


@dataclass(frozen=True)
class ClaimView:
    """One line of the ledger; `order` are the values that its columns are sorted by."""

    anchor: str
    name: str
    badge: Badge
    speaks: bool
    claim: str
    reason: str
    warning: str
    control: str
    effect: str
    anchors: tuple[str, ...]
    p: str
    runs: str
    order: dict[str, str]
    evidence: tuple[tuple[str, str], ...]
    comparisons: tuple[Compared, ...]


def claim_anchor(paper: str, name: str) -> str:
    """Where the line of a claim is."""
    return f"claim-{slug(paper)}-{slug(name)}"


def effect_text(effect: Effect) -> str:
    """The size of an effect with its interval; what it is, where it is not a difference of means."""
    write = with_ends if effect.name.startswith(UNSIGNED) else difference
    text = write(effect.value, effect.low, effect.high)
    return text if effect.name == "difference" or text == DASH else f"{text} ({effect.name})"


def _compared(comparison: Comparison, links: Links, titles: Mapping[str, str]) -> Compared:
    algos = Counter(arm.arm.algo for arm in comparison.arms)
    names = []
    for arm in comparison.arms:
        name = titles.get(arm.arm.algo, arm.arm.algo)
        # Settings of one method are told apart by their cells.
        names.append(f"{name} ({arm.arm.cell})" if algos[arm.arm.algo] > 1 else name)
    return Compared(
        task=", ".join(dict.fromkeys(arm.arm.task for arm in comparison.arms)),
        arms=tuple(zip(names, map(links.arm, comparison.arms), strict=True)),
        effect=effect_text(comparison.effect),
        p=p_value(comparison.p),
    )


def _shown(entry: Entry) -> str:
    """What the ledger's line says of the size: an effect, or how many there are, or only runs."""
    comparisons = entry.combined.comparisons if entry.combined else ()
    if len(comparisons) == 1:
        return effect_text(comparisons[0].effect)
    if comparisons:
        return count(len(comparisons), "comparison")
    return "see the runs" if any(arm.runs for arm in entry.arms) else DASH


def claim_view(entry: Entry, links: Links, titles: Mapping[str, str]) -> ClaimView:
    """One claim for the template, made of its line in the ledger and the arms behind it."""
    row = claims.row(entry)
    comparisons = entry.combined.comparisons if entry.combined else ()
    verdict = entry.judgement.verdict
    return ClaimView(
        anchor=claim_anchor(row["paper"], row["id"]),
        name=row["id"],
        badge=badge(verdict),
        speaks=verdict in SPEAKING,
        claim=row["claim"],
        reason=row["reason"],
        warning=CONTRADICTED[row["contradicted"]],
        control=entry.claim.qualifies,
        effect=_shown(entry),
        anchors=tuple(dict.fromkeys(filter(None, map(links.arm, entry.arms)))),
        p=p_value(entry.p_holm),
        runs=row["n"] or DASH,
        order={
            "name": row["id"],
            "rank": str(list(Verdict).index(verdict)),
            "difference": row["difference"],
            "p": "" if math.isnan(entry.p_holm) else f"{entry.p_holm:.6g}",
            "runs": row["n"].partition(" ")[0],
        },
        evidence=tuple(_evidence(row, LISTED if comparisons else frozenset())),
        comparisons=tuple(_compared(c, links, titles) for c in comparisons),
    )


def _evidence(row: dict[str, str], elsewhere: frozenset[str]) -> Iterable[tuple[str, str]]:
    """Every other column of the ledger that says something, as label and text."""
    if row["p"]:
        yield "p, before adjusting", row["p"]
    for column, text in row.items():
        if column in SHOWN | elsewhere or not text:
            continue
        words = WORDS.get(column, column.replace("_", " "))
        yield words[:1].upper() + words[1:] if words[:2] != "p " else words, _spaced(text)


def _spaced(text: str) -> str:
    """Lists of the ledger with room to break; numbers with a true minus sign stay as they are."""
    return text.replace(";", "; ").replace(";  ", "; ")


def counts(entries: Sequence[Entry]) -> tuple[tuple[Badge, int], ...]:
    """Number of claims by verdict, in the order of the verdicts."""
    found = Counter(entry.judgement.verdict for entry in entries)
    return tuple((badge(verdict), found[verdict]) for verdict in Verdict)
