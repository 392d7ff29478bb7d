"""A picture made again from its recipe, and how far the two are apart."""
