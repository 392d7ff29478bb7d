"""What can run: the registry of checkpoints, the hardware, and the files they need."""
