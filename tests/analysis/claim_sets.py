"""Claims read from a file like any other, and what the ledger makes of them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from result_sets import TIERS, UMAZE, Bench, Run

from analysis import claims
from analysis.claim_file import COLUMNS, Claim, read_claims
from analysis.claims import Entry


def write_claims(path: Path, *rows: dict[str, str]) -> Path:
    """A claim file; what a row leaves out is a claim that ROMI-BCQ scores above BCQ."""
    base = dict.fromkeys(COLUMNS, "") | {
        "id": "X1",
        "claim": "backward imagination helps",
        "kind": "greater",
        "arms": "romi_bcq > bcq",
        "tasks": UMAZE,
        "metric": "score",
        "minimum_tier": "quick",
        "judged_on": "quick=maze2d_small",
        "contradicted": "no",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(base | row for row in rows)
    return path


def claim(tmp_path: Path, **fields: str) -> Claim:
    """A claim with some fields changed."""
    return read_claims(write_claims(tmp_path / "one.csv", fields), "romi", TIERS)[0]


def judge(bench: Bench, *judged: Claim) -> list[Entry]:
    """The lines of the ledger for these claims, judged together."""
    return claims.ledger(judged, bench.results(), bench.space)


def curve(seed: int, scores: Sequence[float], every: int = 100) -> Run:
    """A finished run with these scores at its evaluations, the last one its final score."""
    points = [{"update": every * (i + 1), "score": score} for i, score in enumerate(scores)]
    final = {"score": scores[-1]}
    return {
        "seed": seed,
        "status": "finished",
        "failure": None,
        "final": final,
        "evaluations": points,
    }


def curves(*scores: Sequence[float]) -> list[Run]:
    """Runs of seeds 0, 1, .. with these curves."""
    return [curve(seed, values) for seed, values in enumerate(scores)]
