"""Software rendering without a display or a system library: the rasteriser, overlays and contact sheets."""
