"""The ledger as text: `claims.csv`, a table on a terminal, tab-separated lines in a pipe."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.files import csv_text
from analysis.labels import DASH, setting
from analysis.load import ArmResult
from analysis.metrics import parse_metric
from analysis.verdicts import Verdict

if TYPE_CHECKING:
    from analysis.claims import Entry

COLUMNS = (
    "paper",
    "id",
    "verdict",
    "reason",
    "claim",
    "source",
    "contradicted",
    "qualifies",
    "kind",
    "arms",
    "tasks",
    "metric",
    "experiment",
    "level",
    "setting",
    "n",
    "effect",
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

STYLES = {
    Verdict.REPRODUCED: "bold green",
    Verdict.DIRECTION_ONLY: "green",
    Verdict.NOT_REPRODUCED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NOT_RUN: "dim",
    Verdict.NOT_JUDGED: "dim",
}

#: Columns of the printed ledger, in order, under the names of the file.
PRINTED = (
    "paper",
    "id",
    "qualifies",
    "verdict",
    "n",
    "effect",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "p_permutation_smallest",
    "seeds_needed",
    "contradicted",
    "claim",
    "reason",
)
HEADER = (
    "Claim",
    "Verdict",
    "What it says",
    "Runs",
    "Difference [95 %]",
    "p (Holm)",
    "Least p",
    "Seeds",
    "Why",
)
#: The columns of prose take what room there is.
_RATIOS = {"What it says": 3, "Why": 2}
CONTRADICTED = {
    "no": "",
    "partly": "the paper's own numbers speak against it in part",
    "yes": "the paper's own numbers speak against it",
}


def number(value: float, digits: int = 4) -> str:
    """A number for a CSV file: so many significant digits, empty when there is none."""
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def _values(arm: ArmResult, metric: str) -> str:
    """The single runs of an arm; a level that was not reached in training is written `>end`."""
    readings = [reading for reading in arm.readings(metric) if not reading.absent]
    reaches = parse_metric(metric).form == "steps_to"
    texts = [f"{'>' if r.censored and reaches else ''}{number(r.value)}" for r in readings]
    return f"{arm.arm.algo} {arm.arm.task} {arm.arm.cell}: {' '.join(texts)}"


def _shown_fields(entry: Entry) -> dict[str, str]:
    """The columns of every claim with runs beside it."""
    arms = [arm for arm in entry.arms if arm.runs]
    if not arms:
        return {}
    counts = sorted({len(arm.runs) for arm in arms})
    return {
        "setting": setting(arms),
        "n": " ".join(map(str, counts)),
        "runs": "; ".join(_values(arm, entry.claim.metric) for arm in arms),
    }


def _evidence_fields(entry: Entry) -> dict[str, str]:
    """The columns that only a judged claim has."""
    combined = entry.combined
    if combined is None:
        return {}
    fields = {
        "p": number(entry.p),
        "p_holm": number(entry.p_holm),
        "p_opposite_holm": number(entry.p_opposite_holm),
        "p_permutation": number(combined.p(lambda c: c.p_permutation)),
        "p_permutation_smallest": number(combined.p(lambda c: c.p_smallest)),
        "claims_judged_together": str(entry.family),
        "seeds_needed": str(entry.judgement.seeds_needed or ""),
    }
    if len(combined.comparisons) == 1:
        effect = combined.comparisons[0].effect
        fields["effect"] = effect.name
        fields["difference"] = number(effect.value)
        fields["low"] = number(effect.low)
        fields["high"] = number(effect.high)
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
        "qualifies": claim.qualifies,
        "kind": claim.kind,
        "arms": claim.arms,
        "tasks": ";".join(claim.tasks),
        "metric": claim.metric,
        "experiment": place.experiment if place else "",
        "level": place.level if place else "",
        "note": claim.note,
    }
    return fields | _shown_fields(entry) | _evidence_fields(entry)


def render(entries: Sequence[Entry]) -> str:
    """The ledger as CSV text."""
    return csv_text((row(entry) for entry in entries), COLUMNS)


def print_ledger(tier: str, entries: Sequence[Entry], problems: Sequence[str], path: Path) -> None:
    """Print the chosen lines, the files that were left out, and where the whole ledger is."""
    rows = [row(entry) for entry in entries]
    if sys.stdout.isatty():
        show(tier, rows, problems, path, Console())
    else:
        print(plain(rows, problems, path), end="")


def plain(rows: Sequence[Mapping[str, str]], problems: Sequence[str], path: Path) -> str:
    """Tab-separated lines under a header; what is not a claim stands behind `#`."""
    lines = ["\t".join(PRINTED)]
    lines += ["\t".join(fields[column] for column in PRINTED) for fields in rows]
    lines += [f"# left out: {problem}" for problem in problems]
    return "\n".join([*lines, f"# {_counts(rows)}", f"# all claims: {path}"]) + "\n"


def _counts(rows: Sequence[Mapping[str, str]]) -> str:
    found = Counter(fields["verdict"] for fields in rows)
    return (
        ", ".join(f"{found[v.value]} {v.value}" for v in Verdict if found[v.value]) or "no claims"
    )


def show(
    tier: str,
    rows: Sequence[Mapping[str, str]],
    problems: Sequence[str],
    path: Path,
    console: Console,
) -> None:
    """The ledger on a terminal, one table a paper."""
    for paper, own in groupby(rows, key=lambda fields: fields["paper"]):
        table = Table(title=f"{paper}, tier {tier}", title_justify="left", show_lines=True)
        for column in HEADER:
            table.add_column(column, overflow="fold", ratio=_RATIOS.get(column))
        for fields in own:
            style = STYLES[Verdict(fields["verdict"])]
            styles = ["", style, *[""] * (len(HEADER) - 2)]
            cells = zip(cells_of(fields), styles, strict=True)
            table.add_row(*(Text(cell, style=look) for cell, look in cells))
        console.print(table)
    for problem in problems:
        console.print(Text(f"left out: {problem}", style="bold yellow"))
    console.print(Text(_counts(rows)))
    console.print(Text(f"all claims: {path}"))


def cells_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """One line of the ledger for a reader: numbers to four digits, flags in words."""
    name = (
        f"{fields['id']} (qualifies {fields['qualifies']})" if fields["qualifies"] else fields["id"]
    )
    says = "; ".join(filter(None, [fields["claim"], CONTRADICTED[fields["contradicted"]]]))
    p = f"{fields['p']} ({fields['p_holm']})" if fields["p"] else DASH
    numbers = (fields["n"] or DASH, effect_text(fields), p)
    least, seeds = fields["p_permutation_smallest"] or DASH, fields["seeds_needed"] or DASH
    return (name, fields["verdict"], says, *numbers, least, seeds, fields["reason"])


def effect_text(fields: Mapping[str, str]) -> str:
    """A difference with its interval; what it is, where it is not a difference of means."""
    if not fields["difference"]:
        return DASH
    ends = f"{fields['low']}, {fields['high']}" if fields["low"] else "no interval"
    what = "" if fields["effect"] == "difference" else f" ({fields['effect']})"
    return f"{fields['difference']} [{ends}]{what}"
