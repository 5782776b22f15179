"""Merge jobs: ``python -m algos.merge --run DIR --out FILE`` puts a run and its evaluations into ``result.json``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from algos.core.files import write_json

EVALUATION = "evaluation.json"


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
    record["evaluation"] = {k: v for k, v in evaluation.items() if k != "digest"}
    write_json(args.out, record)


def read(path: Path) -> Any:
    """JSON of a file, or a one-line error."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        print(f"error: {path}: not readable ({error}); delete it and run again", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    merge()
