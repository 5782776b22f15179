import subprocess
import sys


def test_nothing_here_imports_torch_and_planning_needs_no_simulator() -> None:
    code = """
import sys, envs, envs.tasks
assert 'mujoco' not in sys.modules
import envs.datasets, envs.batch, envs.terminations, envs.metrics, envs.maze2d, envs.reference_scores
bad = {'torch', 'algos', 'analysis', 'paper_tables', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", code], check=True)
