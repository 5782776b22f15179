"""Merge jobs: ``python -m algos.merge --run DIR --out FILE`` puts a run and its evaluations into ``result.json``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from algos.core.files import explain, tell, write_json
from algos.core.records import RecordError, read_record

RUN, EVALUATION = "run.json", "evaluation.json"
#: The protocol of evaluations from starts of one's own, which no result may hold.
GIVEN_STARTS = "given_starts"
BAD_INPUT = 2
NO_RUN = "is --run the folder of a finished run?"
AGAIN = "delete it and run again"


def merge(argv: Sequence[str] | None = None) -> None:
    """Write ``result.json`` from ``run.json`` and ``evaluation.json``; bad input is one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Merge a run's record and its evaluations.")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--out", required=True, type=Path, help="the result file")
    args = parser.parse_args(argv)
    try:
        _merge(args.run, args.out)
    except (RecordError, OSError) as error:
        tell(f"error: {explain(error)}")
        raise SystemExit(BAD_INPUT) from None


def _merge(run: Path, out: Path) -> None:
    wanted = {"digest": (str,)}
    record = read_record(run / RUN, wanted, NO_RUN, AGAIN)
    no_evaluation = "make it with python -m algos.evaluate"
    evaluation = read_record(run / EVALUATION, wanted, no_evaluation, AGAIN)
    if evaluation["digest"] != record["digest"]:
        raise RecordError(f"{run / EVALUATION}: of another run; {AGAIN}")
    if evaluation.get("protocol") == GIVEN_STARTS:
        raise RecordError(
            f"{run / EVALUATION}: from starts of your own ({evaluation.get('file')}), which no result may hold; "
            "move it elsewhere and run again"
        )
    record["evaluation"] = {k: v for k, v in evaluation.items() if k != "digest"}
    write_json(out, record)


if __name__ == "__main__":
    merge()
