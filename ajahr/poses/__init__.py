"""Plausible poses: ranges of motion, a sampler, a test for limbs that pass through the body, a prior.

Only `ajahr.poses.prior` and `ajahr.poses.limits_torch` import torch.
"""
