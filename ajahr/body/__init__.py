"""SMPL-format bodies: a file becomes a shape, a pose and a mesh; limbs may be absent.

`data` reads files (no torch), `fast` poses one person for the generator (no torch), `body` is the batched,
differentiable twin for training and fitting, `regressors` and `keypoints` derive the keypoint layouts.
"""
