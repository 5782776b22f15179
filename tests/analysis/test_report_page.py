"""The page as text: links, escaping, provenance, size and the same bytes for the same results."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import time
from pathlib import Path

import pytest
from report_sets import Markup, build_report, page_of, rich
from result_sets import UMAZE, Bench, failed_run, learning_curve, run, runs

from analysis import report
from analysis.evidence_types import Effect
from analysis.labels import DASH
from analysis.report_claims import effect_text
from analysis.report_html import policy, render_page
from analysis.report_page import Page
from analysis.verdicts import Verdict

EVIL = "\"'><script>window.hacked = 1</script><img src=x onerror='hacked = 1'>&amp;{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The rich tier with its page; not to be changed."""
    return rich(Bench(tmp_path_factory.mktemp("shown")))


@pytest.fixture(scope="module")
def page(shown: Bench) -> Page:
    return page_of(shown)


@pytest.fixture(scope="module")
def text(page: Page) -> str:
    return render_page(page)


@pytest.fixture(scope="module")
def markup(text: str) -> Markup:
    return Markup(text)


def test_every_link_has_a_target_and_every_name_is_given_once(markup: Markup) -> None:
    names = list(markup.values("id"))
    assert len(names) == len(set(names))
    links = [href[1:] for href in markup.values("href") if href.startswith("#")]
    targets = links + [name for value in markup.values("data-runs") for name in value.split()]
    targets += list(markup.values("aria-labelledby"))
    assert len(targets) > 30
    assert set(targets) <= set(names)


def test_nothing_is_loaded_from_elsewhere(text: str, markup: Markup) -> None:
    addresses = [*markup.values("src"), *markup.values("href")]
    assert {address.partition(":")[0] for address in addresses if address[0] != "#"} == {"data"}
    assert "url(" not in text and "@import" not in text
    assert not markup.all("iframe") and not markup.all("base") and not markup.all("link", "style")


def test_the_policy_names_exactly_the_script_and_styles_of_the_page(text: str) -> None:
    blocks = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", text, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy()
    assert "unsafe" not in policy() and "http" not in policy()
    assert "default-src 'none'" in policy()


def test_no_element_carries_style_or_script_of_its_own(markup: Markup) -> None:
    attributes = {name for _, found in markup.elements for name in found}
    assert "style" not in attributes
    assert not [name for name in attributes if name.startswith("on")]


def test_every_number_of_ours_leads_to_its_runs(page: Page) -> None:
    panels = {arm.anchor for arm in page.arms}
    cells = [
        cell
        for table in page.papers[0].tables
        for group in table.groups
        for line in group.lines
        for cell in line.cells
        if cell.kind == "ours" and cell.text != DASH
    ]
    assert len(cells) >= 9
    assert all(cell.anchors and set(cell.anchors) <= panels for cell in cells)
    differences = [cell for cell in cells if cell.text.startswith("+")]
    assert differences and all(len(cell.anchors) == 2 for cell in differences)


def test_a_panel_holds_what_the_result_file_says(shown: Bench, page: Page) -> None:
    (arm,) = [a for a in page.arms if a.title == "FOMI-BCQ"]
    facts = dict(arm.facts)
    assert (arm.counts, arm.cell, arm.columns) == ("2 of 3 runs", "networks=small", ("0", "1", "2"))
    assert arm.failed == ((2, "critic loss is not finite at update 1,200"),)
    assert arm.deviations == (
        ("setting", "networks=small", "the configured defaults"),
        ("updates", "12,500", "1,000,000"),
    )
    assert facts["Hardware"] == ("Test CPU (2 cores)",)
    assert facts["Versions"] == ("hindcast abc1234, python 3.11.7, torch 2.13.0",)
    assert facts["Wall time"] == ("1 min",)
    assert facts["Files"] == (shown.arms[2].results[0],)
    assert facts["Digest"] == (shown.arms[2].digest,)
    assert [data.sha256 for data in arm.data] == ["0"]
    assert arm.metrics[0].name == "score" and arm.metrics[0].runs[2] == DASH
    settings = {setting.key: setting for setting in arm.settings}
    assert settings["networks"].by_experiment and not settings["horizon"].by_experiment
    assert settings["updates"].value == "1,000"


def test_experiments_that_share_runs_share_a_panel(page: Page) -> None:
    (arm,) = [a for a in page.arms if a.title == "ROMI-BCQ"]
    assert dict(arm.facts)["Experiments"] == ("romi/maze2d_small", "romi/table3")
    assert len(page.arms) == 3


def test_ledger_of_the_page_is_the_ledger_on_disk(shown: Bench, page: Page) -> None:
    rows = list(csv.DictReader(io.StringIO((shown.root / "results/quick/claims.csv").read_text())))
    (paper,) = page.papers
    assert [(c.name, c.badge.word) for c in paper.claims] == [
        (row["id"], row["verdict"]) for row in rows
    ]
    assert sum(count for _, count in paper.counts) == len(rows) == 75
    assert [b.word for b, _ in paper.counts] == [verdict.value for verdict in Verdict]
    (judged,) = [claim for claim in paper.claims if claim.name == "R21"]
    row = next(row for row in rows if row["id"] == "R21")
    assert judged.p == f"{float(row['p_holm']):.2g}"
    assert judged.effect.startswith(f"+{float(row['difference']):.1f} [")
    assert len(judged.anchors) == 2 and judged.speaks


def test_what_is_wrong_stands_at_the_top(bench: Bench) -> None:
    arm = rich(bench).arms[0]
    bench.change(arm, schema=7)
    page = page_of(bench)
    assert any("schema 7" in problem for problem in page.problems)
    assert page.absent[0].startswith("bcq: ")
    (paper,) = page.papers
    assert paper.absent == (
        "1 arm of methods without an implementation: BC",
        "6 planned runs without a result",
    )
    markup = Markup(build_report(bench).read_text())
    assert markup.text.index("schema 7") < markup.text.index("Verdicts on the claims")


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        ("none", "Tier quick proves that everything runs."),
        ("listed", "2 of 3 arms of this tier ran with a budget other than the published one"),
    ],
)
def test_the_budget_is_the_first_thing_said(bench: Bench, judged: str, message: str) -> None:
    bench.judged = judged
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    for algo in ("romi_bcq", "fomi_bcq"):
        bench.arm(algo, runs([1.0, 2.0, 3.0]), budget_changes={"updates": (12500, 1000000)})
    (warning,) = page_of(bench).warnings
    assert warning.startswith(message)
    assert judged == "none" or "12,500 updates in place of 1,000,000" in warning


def test_published_budgets_need_no_warning(bench: Bench) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    assert page_of(bench).warnings == ()


def test_hostile_text_stays_text(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("result_sets.TITLES", {"bcq": EVIL, "romi_bcq": EVIL})
    changes = {
        "hardware": {"cpu": EVIL, "cores": EVIL, "gpu": EVIL},
        "versions": {"hindcast": EVIL, EVIL: EVIL},
        "data": [{"seed": s, "source": EVIL, "generator": EVIL, "sha256": EVIL} for s in range(3)],
        "precision": EVIL,
    }
    broken = {**run(2, 1.0), "status": "failed", "failure": {"reason": EVIL}}
    bench.arm("bcq", [run(0, 1.0), run(1, 2.0), broken], **changes)
    bench.arm("romi_bcq", [run(s, 9.0, **{EVIL: 1.0}) for s in range(3)], **changes)
    bench.arm("bcq", None, task=EVIL.replace("/", ""))
    text = build_report(bench).read_text(encoding="utf-8")
    markup = Markup(text)
    assert len(markup.all("script")) == 1 and "<script>window" not in text
    assert [image["src"][:5] for image in markup.all("img")] == ["data:"]
    assert markup.text.count("window.hacked") > 20
    assert "{{ 7 * 7 }}" in text and "&amp;amp;" in text


def test_tables_as_files_escape_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("result_sets.TITLES", {"bcq": EVIL})
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    build_report(bench)
    for path in (bench.root / "results/quick/tables/romi").glob("*.html"):
        assert Markup(path.read_text(encoding="utf-8")).all("script") == []


def test_the_page_is_the_same_twice(bench: Bench) -> None:
    bench.arm("bcq", [*runs([1.0, 2.0]), failed_run(2)])
    first = build_report(bench).read_bytes()
    assert build_report(bench).read_bytes() == first


def test_the_whole_report_writes_the_page_with_its_figures(standard: Bench) -> None:
    report.write_report(standard.space, standard.results())
    text = (standard.root / "results/quick/report.html").read_text(encoding="utf-8")
    markup = Markup(text)
    (image,) = [i for i in markup.all("img") if i["alt"] == f"Learning curves, {UMAZE}"]
    kind, _, content = image["src"].partition(";base64,")
    assert kind == "data:image/svg+xml"
    drawing = (standard.root / f"results/quick/figures/romi/curves_{UMAZE}.svg").read_bytes()
    assert base64.b64decode(content) == drawing


def test_a_thousand_runs_make_a_small_page_in_seconds(bench: Bench) -> None:
    for eta in range(100):
        content = [learning_curve(seed, 30.0, 4.0, points=40) for seed in range(10)]
        bench.arm("romi_bcq", content, seeds=range(10), overrides={"eta": eta / 100})
    results, start = bench.results(), time.process_time()
    assert sum(len(arm.runs) for arm in results.arms) == 1000
    path: Path = build_report(bench)
    assert path.stat().st_size < 4_000_000
    assert time.process_time() - start < 12


def test_effects_say_what_they_are() -> None:
    assert effect_text(Effect("difference", 2.0, 1.0, 3.0)) == "+2.00 [1.00, 3.00]"
    assert effect_text(Effect("ratio", 2.0, 1.5, 4.5)) == "2.00 [1.50, 4.50] (ratio)"
    assert effect_text(Effect("distance from the bound", 0.5)) == "+0.5 (distance from the bound)"
