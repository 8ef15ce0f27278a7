"""The archetypes, one module a family; `ajahr.poses.sampler` collects them."""
