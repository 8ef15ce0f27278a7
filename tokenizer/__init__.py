"""Pose tokenizers: rotations, masks and codes in and out. A leaf: knows no limbs, meshes or body files."""
