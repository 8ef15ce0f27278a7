"""Pose banks for the tokenizers (`tokenizer.banks`) out of what people have: AMASS, MOYO, A3D, HMR2's
annotations, or this project's own pose sampler."""
