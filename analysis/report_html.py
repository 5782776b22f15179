"""Writing the report as one file that works from disk, without a network and without a server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from analysis.files import write_text
from analysis.render_html import environment
from analysis.report_page import Page
from analysis.workspace import Workspace
from paper_tables.paths import TierPaths

STYLES = ("tables.css", "report.css")
SCRIPT = "report.js"


def _checksum(text: str) -> str:
    """The form in which a content security policy names a script or style sheet."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _sources(names: Sequence[str]) -> str:
    return " ".join(_checksum(environment().get_template(name).render()) for name in names)


def policy() -> str:
    """The page's content security policy: our own script and styles, embedded pictures, no more.

    It holds even where text of a result should ever reach the page as markup.
    """
    return (
        f"default-src 'none'; img-src data:; style-src {_sources(STYLES)}; "
        f"script-src {_sources([SCRIPT])}; base-uri 'none'; form-action 'none'"
    )


def render_page(page: Page) -> str:
    """The report as one HTML file."""
    template = environment().get_template("report.html.j2")
    text = template.render(page=page, policy=policy(), styles=STYLES, script=SCRIPT)
    return f"{text}\n"


def write_page(page: Page, space: Workspace) -> Path:
    """Write `results/{tier}/report.html`."""
    return write_text(space.root / TierPaths(space.tier).report, render_page(page))
