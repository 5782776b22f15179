"""What the YAML reader takes and refuses beyond plain YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from paper_tables.errors import PlanError
from paper_tables.yamlio import read_yaml

CHAIN = "a: &a {x: 1, y: 1}\nb: &b\n  <<: *a\n  x: 2\nc:\n  <<: *b\n  y: 3\n"


def test_what_is_inherited_over_two_steps_may_be_overridden_at_each(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN)
    assert read_yaml(path)["c"] == {"x": 2, "y": 3}


def test_a_key_given_twice_beside_inherited_ones_is_found(tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN + "  y: 4\n")
    with pytest.raises(PlanError, match=r"chain\.yaml:8: key 'y' given twice"):
        read_yaml(path)
