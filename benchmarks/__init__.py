"""Speed and memory against peers and targets: ``python -m benchmarks.run``. See ``docs/benchmarks.md``."""
