"""The papers as data, and the plan that turns them into jobs (needs no torch)."""
