"""Pixels: what people bring along, how it comes to the right shape, masks. Pillow and NumPy only."""
