"""The steps of the recipe, one a file."""
