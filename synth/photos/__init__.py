"""From a photograph with people to a clean background: masks, inpainting, the check of it, and its light."""
