"""The files of checkpoints: where they are, which are needed, how they come from the hub, whether they are sound."""
