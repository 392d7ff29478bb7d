"""Comparing: one wish at several settings or with several models, as one labelled contact sheet."""

from pipeline.compare.grid import Axis, Cell, Comparison

__all__ = ["Axis", "Cell", "Comparison"]
