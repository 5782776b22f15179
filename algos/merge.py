"""Merge jobs: ``python -m algos.merge --run DIR --out FILE`` puts a run and its evaluations into ``result.json``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from algos.core.files import explain, tell, write_json

EVALUATION = "evaluation.json"
#: The protocol of evaluations from starts of one's own, which no result may hold.
GIVEN_STARTS = "given_starts"
BAD_INPUT = 2


def merge(argv: Sequence[str] | None = None) -> None:
    """Write ``result.json`` from ``run.json`` and ``evaluation.json``."""
    parser = argparse.ArgumentParser(description="Merge a run's record and its evaluations.")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--out", required=True, type=Path, help="the result file")
    args = parser.parse_args(argv)
    record = read(args.run / "run.json")
    evaluation = read(args.run / EVALUATION)
    if evaluation["digest"] != record["digest"]:
        raise SystemExit(f"error: {args.run / EVALUATION}: of another run; delete it and run again")
    if evaluation.get("protocol") == GIVEN_STARTS:
        tell(
            f"error: {args.run / EVALUATION}: from starts of your own ({evaluation.get('file')}), which no result "
            "may hold; move it elsewhere and run again"
        )
        raise SystemExit(BAD_INPUT)
    record["evaluation"] = {k: v for k, v in evaluation.items() if k != "digest"}
    try:
        write_json(args.out, record)
    except OSError as error:
        tell(f"error: {explain(error)}")
        raise SystemExit(BAD_INPUT) from None


def read(path: Path) -> Any:
    """JSON of a file, or a one-line error."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        tell(f"error: {path}: not readable ({error}); delete it and run again")
        raise SystemExit(BAD_INPUT) from None


if __name__ == "__main__":
    merge()
