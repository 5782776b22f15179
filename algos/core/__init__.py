"""What every method shares: networks with a run axis, replay, randomness, checkpoints, the run loop."""
