"""The embedded demo checkpoint: procedural picture-book scenes, its training and its evaluation."""
