"""How every figure looks: one colour, dash and marker for each algorithm, fixed everywhere.

Colours are Okabe and Ito's (2008), told apart with any colour vision. Lightness, dashes and markers
differ as well, so that figures can be read in grey. A method, its forward twin and its plain
learner keep the same colours whichever learner is used.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK, GREY = "#CC79A7", "#56B4E9", "#B5A900", "#000000", "#6B6B6B"

Dash = str | tuple[int, tuple[float, ...]]
SOLID: Dash = "-"
DASHED: Dash = (0, (4.5, 1.6))
DOTTED: Dash = (0, (1.2, 1.3))
DASH_DOT: Dash = (0, (5.0, 1.4, 1.2, 1.4))
LONG: Dash = (0, (8.0, 2.0))


@dataclass(frozen=True)
class Look:
    """Appearance of one algorithm."""

    colour: str
    dash: Dash
    marker: str


LOOKS = {
    "romi_bcq": Look(BLUE, SOLID, "o"),
    "romi_cql": Look(BLUE, SOLID, "o"),
    "romi_rbc_bcq": Look(SKY, DASHED, "P"),
    "fomi_bcq": Look(ORANGE, DASHED, "s"),
    "fomi_cql": Look(ORANGE, DASHED, "s"),
    "bcq": Look(BLACK, DASH_DOT, "^"),
    "cql": Look(BLACK, DASH_DOT, "^"),
    "bc": Look(GREY, DOTTED, "D"),
    "backward_model": Look(BLUE, SOLID, "o"),
    "forward_model": Look(ORANGE, DASHED, "s"),
    "mopo": Look(RED, DOTTED, "v"),
    "morel": Look(PURPLE, DASHED, "X"),
    "combo": Look(GREEN, LONG, "<"),
    "repb_sde": Look(YELLOW, DASH_DOT, ">"),
    "bear": Look(PURPLE, SOLID, "h"),
    "brac_p": Look(GREEN, DASHED, "d"),
    "brac_v": Look(GREEN, DOTTED, "p"),
    "bail": Look(RED, DASH_DOT, "*"),
    "il_bc": Look(GREY, DOTTED, "D"),
    "bmil_code": Look(BLUE, SOLID, "o"),
    "bmil_paper": Look(SKY, DASHED, "P"),
    "bmil_forward": Look(ORANGE, DASHED, "s"),
    "vins": Look(GREEN, DASH_DOT, "v"),
}

_COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW)
_DASHES = (SOLID, DASHED, DOTTED, DASH_DOT, LONG)
_MARKERS = "os^Dv<>PX"


def look(algo: str) -> Look:
    """The look of an algorithm; an unknown one gets its own from its name, the same each time."""
    if algo in LOOKS:
        return LOOKS[algo]
    number = zlib.crc32(algo.encode())
    return Look(
        _COLOURS[number % len(_COLOURS)],
        _DASHES[number // 7 % len(_DASHES)],
        _MARKERS[number // 35 % len(_MARKERS)],
    )


#: Sizes in points for a figure printed at its own width of 7 inches.
_SETTINGS: dict[str, Any] = {
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 8.0,
    "axes.linewidth": 0.7,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "grid.linewidth": 0.5,
    "grid.color": "#E6E6E6",
    "axes.edgecolor": "#444444",
    "axes.labelcolor": "#222222",
    "text.color": "#222222",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    # Editable text in the PDF; Type 3 fonts are refused by many publishers.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    # Names inside SVG files are made of this and the content: equal figures get equal files.
    "svg.hashsalt": "hindcast",
    "figure.dpi": 100,
    "savefig.dpi": 220,
    "axes.unicode_minus": True,
}


#: Inches of a legend's entry, by the size of its letters: its line with the blanks, and a letter.
ENTRY_INCHES, LETTER_INCHES = 0.75, 0.068


def columns_that_fit(labels: Sequence[str], width: float) -> int:
    """Most columns, filled one after another, of a legend over a figure of this width (inches); one at least."""
    for columns in range(len(labels), 1, -1):
        groups = np.array_split(list(map(len, labels)), columns)  # as matplotlib fills them
        if sum(ENTRY_INCHES + LETTER_INCHES * letters.max() for letters in groups) <= width:
            return columns
    return 1


def legend(
    figure: Figure, handles: Sequence[Artist], columns: int | None = None, **spacing: float
) -> None:
    """`handles` above the panels, at the right: in one line, or in so many columns."""
    figure.legend(
        handles=list(handles),
        loc="outside upper right",
        ncols=columns or len(handles),
        frameon=False,
        handlelength=3.2,
        **spacing,
    )


def apply() -> None:
    """Set the look for all figures of this process, drawn without a display."""
    mpl.use("Agg")
    sns.set_theme(context="paper", style="ticks", rc=_SETTINGS)
