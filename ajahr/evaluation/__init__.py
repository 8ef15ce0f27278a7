"""Measurements in the layout of the papers, with their numbers beside ours."""
