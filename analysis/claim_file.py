"""The claims of a paper as data: one schema for all papers (`paper_tables/<paper>/claims.csv`).

Columns, besides `id`, `claim` (in our words), `source`, `metric`, `protocol` and `note`:

* `kind`: what sort of statement it is, see `KINDS`.
* `arms`: `left > right`, `left >= right`, `left / right` or `left = right`, or a plain list. Each
  side is a list with `;`; an arm is an algorithm, or `algo[key=value,...]` for a named setting.
* `tasks`: a list with `;`. A comparison claim holds if it holds for every arm of the left against
  every arm of the right on every task, unless `value` says `k of m`.
* `metric`: a number of the results, or one made of evaluations, see `analysis.metrics`.
* `value`: `k of m`, a bound (`>0.5`, `<0.03`), a range (`0.5..2`, `>=2`, `<=2`), a constant, a direction
  (`increasing`, `decreasing`) or an arm, by kind: see `analysis.claim_checks`.
* `margin`: in units of the metric; the least difference that counts (greater) or the largest loss
  that is forgiven (not_less) or the half-width of equality (equivalent). Fixed before any run.
* `judged_on`: `tier=experiment[+experiment][:direction]` with `;`; an entry holds from its tier upwards, but
  in a tier with `judged: listed` only for the tier it names. With `:direction` only the sign is judged: it is
  declared for reduced networks or budgets, not derived from them.
* `minimum_tier`: the first tier of `judged_on`; smaller ones say that their budget is too small.
* `note`: free text; `qualifies ID` makes the claim a control that is printed beside the claim ID.
* `contradicted`: whether the paper's own numbers speak against it: `no`, `partly`, `yes`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from analysis.claim_checks import check_claim
from analysis.errors import AnalysisError
from analysis.verdicts import Level
from paper_tables.claim_arms import ArmPattern as ArmPattern
from paper_tables.claim_arms import parse_arm as parse_arm
from paper_tables.claim_arms import parse_sides
from paper_tables.errors import PlanError, check_cells, unknown

Kind = Literal[
    "greater",
    "not_less",
    "count",
    "threshold",
    "equivalent",
    "ratio",
    "trend",
    "best",
    "spread",
    "improvement",
    "descriptive",
]
KINDS: tuple[str, ...] = get_args(Kind)
CONTRADICTED = ("no", "partly", "yes")
COLUMNS = (
    "id",
    "claim",
    "source",
    "kind",
    "arms",
    "tasks",
    "metric",
    "value",
    "margin",
    "protocol",
    "minimum_tier",
    "judged_on",
    "contradicted",
    "note",
)

_DECIMAL = r"(?:\d+(?:\.\d+)?|\.\d+)"
_BOUND = re.compile(rf"^([<>])\s*(-?{_DECIMAL})$")
_COUNT = re.compile(r"^(\d+) of (\d+)$")
_RANGE = re.compile(rf"^(?:({_DECIMAL})\.\.({_DECIMAL})|>=\s*({_DECIMAL})|<=\s*({_DECIMAL}))$")
_QUALIFIES = re.compile(r"\bqualifies ([A-Za-z]+[-A-Za-z]*\d+\w*)")


@dataclass(frozen=True)
class Place:
    """The experiment that may judge a claim, and how far."""

    experiment: str
    level: Level


@dataclass(frozen=True)
class Claim:
    """One claim of one paper."""

    paper: str
    id: str
    claim: str
    source: str
    kind: Kind
    arms: str
    left: tuple[ArmPattern, ...]
    right: tuple[ArmPattern, ...]
    tasks: tuple[str, ...]
    metric: str
    value: str
    margin: float
    protocol: str
    minimum_tier: str
    judged_on: Mapping[str, Place]
    contradicted: str
    note: str

    @property
    def bound(self) -> tuple[str, float] | None:
        """Side (`<` or `>`) and value of a threshold claim."""
        match = _BOUND.match(self.value)
        return (match[1], float(match[2])) if match else None

    @property
    def count(self) -> tuple[int, int] | None:
        """`k of m`, if the claim counts."""
        match = _COUNT.match(self.value)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def range(self) -> tuple[float | None, float | None] | None:
        """Ends of the range of a ratio claim, None for an open one."""
        match = _RANGE.match(self.value)
        if not match:
            return None
        low, high = match[1] or match[3], match[2] or match[4]
        return (float(low) if low else None, float(high) if high else None)

    @property
    def constant(self) -> float | None:
        """The constant that an equivalent claim compares with."""
        try:
            return float(self.value)
        except ValueError:
            return None

    @property
    def qualifies(self) -> str:
        """The claim that this one is a control of; empty if of none."""
        match = _QUALIFIES.search(self.note)
        return match[1] if match else ""

    def place(self, tier: str, order: Sequence[str], listed: bool = False) -> Place | None:
        """The entry of `tier`, or of the highest tier below it; `order` runs upwards.

        With `listed` only an entry of the tier itself counts.
        """
        if listed:
            return self.judged_on.get(tier)
        for name in reversed(order[: order.index(tier) + 1]):
            if name in self.judged_on:
                return self.judged_on[name]
        return None


def _places(text: str, tiers: Sequence[str], where: str) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for item in filter(None, text.split(";")):
        tier, separator, target = item.partition("=")
        experiment, _, level = target.partition(":")
        if not separator or level not in ("", "direction", "full"):
            raise AnalysisError(f"{where}: judged_on: '{item}' is not tier=experiment[:direction]")
        if tier not in tiers:
            raise unknown(f"{where}: judged_on", "tier", tier, tiers)
        if tier in places:
            raise AnalysisError(f"{where}: judged_on: tier {tier} is given twice")
        places[tier] = Place(experiment, "direction" if level == "direction" else "full")
    return places


def _parse(row: Mapping[str, str], paper: str, tiers: Sequence[str], where: str) -> Claim:
    if row["kind"] not in KINDS:
        raise AnalysisError(f"{where}: unknown kind '{row['kind']}'; one of {', '.join(KINDS)}")
    if row["contradicted"] not in CONTRADICTED:
        raise AnalysisError(f"{where}: contradicted must be one of {', '.join(CONTRADICTED)}")
    if row["minimum_tier"] not in tiers:
        raise unknown(f"{where}: minimum_tier", "tier", row["minimum_tier"], tiers)
    left, right = parse_sides(row["arms"], where)
    try:
        margin = float(row["margin"] or 0.0)
    except ValueError:
        raise AnalysisError(f"{where}: margin '{row['margin']}' is not a number") from None
    text = {key: row[key] for key in COLUMNS if key not in ("left", "right")}
    fields = text | {
        "left": left,
        "right": right,
        "tasks": tuple(filter(None, row["tasks"].split(";"))),
        "margin": margin,
        "judged_on": _places(row["judged_on"], tiers, where),
    }
    claim = Claim(paper=paper, **fields)  # type: ignore[arg-type]
    _check(claim, tiers, where)
    return claim


def _check(claim: Claim, tiers: Sequence[str], where: str) -> None:
    """A claim must be judgeable in the way its kind says."""
    check_claim(claim, where)
    first = next((tier for tier in tiers if tier in claim.judged_on), claim.minimum_tier)
    if first != claim.minimum_tier:
        raise AnalysisError(f"{where}: minimum_tier is not the first tier of judged_on")
    if claim.kind == "ratio" or (claim.margin and claim.kind in ("greater", "count", "best")):
        for tier, place in claim.judged_on.items():
            if place.level == "direction":
                raise AnalysisError(
                    f"{where}: judged_on: {tier}: ':direction' judges the sign alone, which a claim "
                    "with a margin or a ratio is not about; leave it out"
                )


def read_claims(path: Path, paper: str, tiers: Sequence[str]) -> list[Claim]:
    """Read and check a paper's claims; `tiers` in order of budget.

    Raises:
        AnalysisError: missing file or column, id given twice, or a field that cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            columns = tuple(reader.fieldnames or ())
    except OSError as error:
        raise AnalysisError(f"{path}: cannot be read ({error.strerror})") from None
    if columns != COLUMNS:
        raise AnalysisError(f"{path}: columns must be {','.join(COLUMNS)}")
    claims: dict[str, Claim] = {}
    for row in rows:
        where = f"{path}: {row['id']}"
        if row["id"] in claims:
            raise AnalysisError(f"{where}: id given twice")
        try:
            check_cells(row, where)
            claims[row["id"]] = _parse(row, paper, tiers, where)
        except PlanError as error:
            raise AnalysisError(str(error)) from None
    for claim in claims.values():
        if claim.qualifies and claim.qualifies not in claims:
            raise AnalysisError(
                f"{path}: {claim.id}: qualifies {claim.qualifies}, which is no claim"
            )
    return list(claims.values())
