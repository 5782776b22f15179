"""Short phrases about where numbers come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.load import ArmResult
from analysis.records import Record
from paper_tables.paths import BASE_CELL

#: What stands in a cell that has nothing to show.
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def listed(values: Iterable[str]) -> str:
    """Distinct values in a fixed order, with commas."""
    return ", ".join(sorted(set(values)))


def budget(arm: ArmResult) -> str:
    """Gradient updates of an arm's runs, `-` if it has none; many different ones as a range."""
    updates = sorted({record.updates for record in arm.records})
    if len(updates) > 2:
        return f"{updates[0]:,} to {updates[-1]:,}"
    return " / ".join(f"{count:,}" for count in updates) or "-"


def data(arm: ArmResult) -> str:
    """Source, generator and size of the data of an arm's runs; local data are called so.

    Of demonstrations the size is what was learnt from, not what the file holds.
    """
    sizes: dict[str, set[int]] = {}
    for record in arm.records:
        for entry in record.data:
            if entry["source"] == "local":
                text = f"generated locally ({entry.get('generator', 'unknown generator')})"
            else:
                text = f"{entry['source']} file"
            if "demonstrations" in record.hyperparameters:
                text += f", {record.hyperparameters['demonstrations']} demonstrations a run"
            size = entry.get("learnt") or entry.get("transitions") or 0
            sizes.setdefault(text, set()).add(int(size))
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


def setting(arms: Sequence[ArmResult], but: str = "") -> str:
    """Cells, budget and data of a set of arms in one phrase; `but`: a key of cells that is left out."""
    names = dict.fromkeys(arm.arm.cell for arm in arms if arm.arm.cell != BASE_CELL)
    kept = ([p for p in name.split(",") if not p.startswith(f"{but}=")] for name in names)
    cells = listed(",".join(parts) for parts in kept if parts)
    updates = " and ".join(sorted({budget(arm) for arm in arms}))
    sources = listed(source for arm in arms for source in arm.sources)
    return "; ".join(filter(None, [cells, f"{updates} updates", f"{sources} data"]))


def made_of(tier: str, arms: Sequence[ArmResult]) -> str:
    """The first sentence of a figure's caption: tier, setting and runs of a method."""
    counts = " or ".join(map(str, sorted({len(arm.runs) for arm in arms})))
    return f"Tier {tier}: {setting(arms)}; {counts} runs a method."


def hardware(arm: ArmResult) -> str:
    """Processors and accelerators that the runs were made on."""
    return listed(map(machine, arm.records))


def machine(record: Record) -> str:
    """Processor and accelerator of one job."""
    found = record.hardware
    text = str(found.get("cpu", "unknown processor"))
    cores = f"{found['cores']} cores" if "cores" in found else ""
    if details := ", ".join(filter(None, [cores, found.get("capability")])):
        text += f" ({details})"
    return f"{text}, {found['gpu']}" if found.get("gpu") else text


def versions(arm: ArmResult) -> str:
    """Project commits and the packages that numbers depend on."""
    return listed(map(versions_of, arm.records))


def versions_of(record: Record) -> str:
    """Project commit and packages of one job."""
    names = ("hindcast", "python", "torch", "mujoco")
    found = record.versions
    return ", ".join(f"{name} {found[name]}" for name in names if name in found)


def evaluation(arm: ArmResult, metric: str) -> str:
    """Protocol behind `metric`: of the evaluations during training, unless it comes from elsewhere."""
    if metric.startswith("fit.") or arm.arm.stage == "fit":
        return "by the fit itself, on rows held out of its data"
    after = metric.startswith("evaluation.")
    return listed(_after(record) if after else _during(record) for record in arm.records)


def _after(record: Record) -> str:
    """Protocol of the separate evaluation of the final policy."""
    text = f"of the final policy; protocol: {record.evaluation.get('protocol', 'not recorded')}"
    if "episodes_per_start" in record.evaluation:
        text += f", {record.evaluation['episodes_per_start']} episodes from each start"
    return text


def _during(record: Record) -> str:
    """Protocol of the evaluations during training, and how many of them make up a run's score."""
    found = record.hyperparameters
    text = f"protocol: {found.get('evaluation_start', 'not recorded')}"
    if "report_evaluations" in found:
        text = f"mean of the last {found['report_evaluations']} evaluations of a run; {text}"
    if "evaluation_episodes" in found:
        text += f", {found['evaluation_episodes']} episodes an evaluation"
    return text


def changes(arm: ArmResult) -> str:
    """Budget keys that differ from the algorithm's own, those of its models as `slot.key`."""
    texts = [
        f"{key} {_value(value)} (default {_value(own)})"
        for key, (value, own) in sorted(arm.arm.budget_changes.items())
    ]
    return ", ".join(texts) or "the configured defaults"


def _value(value: object) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:,}" if whole else str(value)


def without_result(arms: Iterable[ArmResult]) -> list[ArmResult]:
    """Arms that should have run in this tier and of which no run is there, finished or failed."""
    return [a for a in arms if a.arm.status == "planned" and not a.runs and not a.failed]
