"""From datasets of people to batches for the regressor: rows, pictures, augmentation, mixtures.

Torch is imported by `collate` and `loader` only.
"""
