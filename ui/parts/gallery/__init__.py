"""What the gallery is made of: where one is in it, the filters, the grid, one picture, several side by side."""
