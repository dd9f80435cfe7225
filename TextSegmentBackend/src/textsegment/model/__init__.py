"""SAT as a PyTorch network: configuration, modules, text encoders and checkpoints."""
