"""Residual limbs as geometry: the cut, closed surface, its fit to image points, its measures."""
