"""One HTML page that shows what is in a dataset and how good it is."""
