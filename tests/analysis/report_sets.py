"""A small tier turned into the report's page, without drawing figures: fast enough for every test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from result_sets import MEDIUM, Bench, failed_run, learning_curve

from analysis import claims, report
from analysis.report_html import write_page
from analysis.report_page import Exhibits, Page, build_page
from analysis.settings_tables import write_settings_tables
from analysis.summary import read_summary

#: Stands in for a drawn figure: as small as an SVG can be.
DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 2"><path d="M0 0h7v2z"/></svg>'
BUDGET = {"updates": (12500, 1000000)}
VOID = {"meta", "link", "input", "img", "br", "line", "circle", "path", "polyline", "rect"}


def rich(bench: Bench) -> Bench:
    """Finished, failed and missing runs: every state that the page has something to say about."""
    curves = [learning_curve(seed, level, 4.0) for seed, level in enumerate((20.0, 22.0, 50.0))]
    low = [learning_curve(seed, level, 4.0) for seed, level in enumerate((-9.0, -6.0, 2.0))]
    bench.arm("bcq", low, budget_changes=BUDGET)
    bench.arm("romi_bcq", curves, budget_changes=BUDGET)
    bench.arm("fomi_bcq", [*curves[:2], failed_run(2)], budget_changes=BUDGET)
    bench.arm("bcq", None, task=MEDIUM)
    bench.arm("bc", None, reason="no implementation")
    bench.arm("romi_bcq", None, experiment="table3", budget_changes=BUDGET)
    return bench


def page_of(bench: Bench) -> Page:
    """The model of the page over the arms of `bench`, with one stand-in figure."""
    space, results = bench.space, bench.results()
    entries = claims.judge_all(space, results)
    claims.write(entries, space)
    tables = report.write_tables(space, "romi", results, entries)
    stem = bench.root / "results" / bench.tier / "figures/romi/curves_maze2d-umaze-v1"
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".svg").write_text(DRAWING, encoding="utf-8")
    settings = write_settings_tables(space, "romi")
    exhibits = {"romi": Exhibits(tuple(tables), (stem,), tuple(settings))}
    return build_page(space, results, entries, exhibits, read_summary(space, results))


def build_report(bench: Bench) -> Path:
    """Write the page and return its path."""
    return write_page(page_of(bench), bench.space)


class Markup(HTMLParser):
    """The elements of a page; raises on a tag that is not closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        """Attributes of every element `tag`, of the class `kind` if given."""
        return [
            found for name, found in self.elements
            if name == tag and (not kind or kind in found.get("class", "").split())
        ]  # fmt: skip

    def values(self, attribute: str) -> Iterator[str]:
        """Every value of an attribute."""
        return (found[attribute] for _, found in self.elements if attribute in found)

    @property
    def text(self) -> str:
        """All text with single blanks."""
        return re.sub(r"\s+", " ", " ".join(self.texts))
