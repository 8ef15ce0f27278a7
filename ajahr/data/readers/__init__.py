"""Readers of people annotations, one module per file format. `formats.read_people` opens any of them."""
