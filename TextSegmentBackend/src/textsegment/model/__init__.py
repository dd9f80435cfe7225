"""SAT as a torch network: configuration, modules, text encoders, checkpoints."""
