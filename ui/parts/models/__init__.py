"""What the page with the models is made of."""
