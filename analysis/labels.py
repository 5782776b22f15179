"""Short phrases about where numbers come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.load import ArmResult
from paper_tables.paths import BASE_CELL

#: What stands in a cell that has nothing to show.
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def listed(values: Iterable[str]) -> str:
    """Distinct values in a fixed order, with commas."""
    return ", ".join(sorted(set(values)))


def budget(arm: ArmResult) -> str:
    """Gradient updates of an arm's runs, `-` if it has none."""
    updates = sorted({record.updates for record in arm.records})
    return " / ".join(f"{count:,}" for count in updates) or "-"


def data(arm: ArmResult) -> str:
    """Source, generator and size of the data of an arm's runs; local data are called so."""
    sizes: dict[str, set[int]] = {}
    for record in arm.records:
        for entry in record.data:
            if entry["source"] == "local":
                text = f"generated locally ({entry.get('generator', 'unknown generator')})"
            else:
                text = f"{entry['source']} file"
            sizes.setdefault(text, set()).add(int(entry.get("transitions") or 0))
    return listed(f"{text}{_transitions(found)}" for text, found in sizes.items())


def _transitions(sizes: set[int]) -> str:
    """How much data, as a range where every seed has a data set of its own."""
    known = sorted(sizes - {0})
    if not known:
        return ""
    if len(known) == 1:
        return f", {known[0]:,} transitions"
    return f", {known[0]:,} to {known[-1]:,} transitions, a data set for each seed"


def cell(arm: ArmResult) -> str:
    """What was set otherwise than in the paper's configuration."""
    return "the configured defaults" if arm.arm.cell == BASE_CELL else arm.arm.cell


def precision(arm: ArmResult) -> str:
    """Precision of matrix products."""
    return listed(record.precision for record in arm.records)


def setting(arms: Sequence[ArmResult]) -> str:
    """Cells, budget and data of a set of arms in one phrase."""
    cells = listed(arm.arm.cell for arm in arms if arm.arm.cell != BASE_CELL)
    updates = " and ".join(sorted({budget(arm) for arm in arms}))
    sources = listed(source for arm in arms for source in arm.sources)
    return "; ".join(filter(None, [cells, f"{updates} updates", f"{sources} data"]))


def hardware(arm: ArmResult) -> str:
    """Processor and accelerator that the runs were made on."""
    parts = []
    for record in arm.records:
        found = record.hardware
        text = f"{found.get('cpu', 'unknown processor')} ({found.get('cores', '?')} cores)"
        parts.append(f"{text}, {found['gpu']}" if found.get("gpu") else text)
    return listed(parts)


def versions(arm: ArmResult) -> str:
    """Project commit and the packages that numbers depend on."""
    names = ("hindcast", "python", "torch", "mujoco")
    return listed(
        ", ".join(f"{name} {record.versions[name]}" for name in names if name in record.versions)
        for record in arm.records
    )


def evaluation(arm: ArmResult) -> str:
    """Protocol of evaluation, and how many evaluations are averaged into a run's score."""
    parts = []
    for record in arm.records:
        found = record.hyperparameters
        text = f"protocol: {record.protocol}"
        if "report_evaluations" in found:
            text = f"mean of the last {found['report_evaluations']} evaluations of a run; {text}"
        if "evaluation_episodes" in found:
            text += f", {found['evaluation_episodes']} episodes an evaluation"
        parts.append(text)
    return listed(parts)
