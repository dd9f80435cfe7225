"""How a run goes on: checkpoints, logs, several processes."""
