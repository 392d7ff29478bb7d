"""The commands of `python -m pipeline`, one file each, and what they share: their options and their display."""
