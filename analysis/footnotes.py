"""Footnotes of a table, made from the records of the runs in it."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from analysis import labels
from analysis.load import ArmResult


def _categories(metric: str) -> Iterator[tuple[str, Callable[[ArmResult], str]]]:
    """What a reader must know of a number, in order of importance."""
    yield "Data", labels.data
    yield "Setting", labels.cell
    yield "Budget", labels.changes
    yield "Evaluation", partial(labels.evaluation, metric=metric)
    yield "Precision", labels.precision
    yield "Hardware", labels.hardware
    yield "Versions", labels.versions


@dataclass(frozen=True)
class Footnotes:
    """Lines of text, and the marks that tie an arm's numbers to the lines that differ."""

    lines: tuple[str, ...] = ()
    marks: dict[int, str] = field(default_factory=dict)

    def mark(self, arm: ArmResult | None) -> str:
        """Letters of an arm, empty where all arms agree."""
        return self.marks.get(id(arm), "")


def _letters() -> Iterator[str]:
    yield from string.ascii_lowercase
    yield from (a + b for a in string.ascii_lowercase for b in string.ascii_lowercase)


def footnotes(
    arms: Sequence[ArmResult], metric: str, unread: Iterable[tuple[str, str]] = ()
) -> Footnotes:
    """One line a category; where arms differ each value gets a letter and its arms the mark.

    `unread` names finished runs that have no number to show, and why.
    """
    used = [arm for arm in arms if arm.runs]
    letters = _letters()
    marks: dict[int, list[str]] = {}
    lines: list[str] = []
    for title, describe in _categories(metric):
        texts = {id(arm): describe(arm) for arm in used}
        values = list(dict.fromkeys(texts.values()))
        if len(values) <= 1:
            lines += [f"{title}: {value}." for value in values]
            continue
        names = {value: next(letters) for value in values}
        lines.append(f"{title}: " + "; ".join(f"({names[v]}) {v}" for v in values) + ".")
        for key, text in texts.items():
            marks.setdefault(key, []).append(names[text])
    joined = {key: ",".join(found) for key, found in marks.items()}
    lines += [*_read_elsewhere(used), *_left_out(arms), *_without_number(unread)]
    return Footnotes(tuple(lines), joined)


def _read_elsewhere(arms: Sequence[ArmResult]) -> Iterator[str]:
    """One line for each export that runs were read from."""
    found: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for arm in arms:
        for folder, seeds in arm.exported().items():
            name = str(folder)
            found.setdefault(name, []).append(f"{arm.name}, seeds {_ranges(seeds)}")
            counts[name] = counts.get(name, 0) + len(seeds)
    every = sum(len(arm.every) for arm in arms)
    for name, texts in found.items():
        which = "all runs" if counts[name] == every else "; ".join(texts)
        yield f"Read from {name}, not made here: {which}."


def _ranges(seeds: Sequence[int]) -> str:
    """Seeds in order, neighbours as `0 to 4`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    texts = [f"{part[0]} to {part[-1]}" if len(part) > 1 else str(part[0]) for part in parts]
    return ", ".join(texts)


def _without_number(unread: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line a reason, so that a misspelt metric is told once for all arms."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in unread:
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        end = "" if reason.endswith("?") else "."
        yield f"Without a number, {'; '.join(names)}: {reason}{end}"


def _left_out(arms: Sequence[ArmResult]) -> Iterator[str]:
    """Runs that are not in the means, by name."""
    for arm in arms:
        if arm.failed:
            seeds = "; ".join(f"seed {run.seed}: {run.reason}" for run in arm.failed)
            yield f"Left out, {arm.name}: {seeds}."
        if arm.runs and arm.missing:
            yield f"Missing, {arm.name}: seeds {', '.join(map(str, arm.missing))}."
    absent = labels.without_result(arms)
    if absent:
        yield f"Without a result: {'; '.join(arm.name for arm in absent)}."
