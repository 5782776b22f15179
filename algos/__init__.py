"""Backward-model methods, their learners and the entry points of the DAG's jobs."""
