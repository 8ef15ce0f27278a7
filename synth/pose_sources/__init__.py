"""Poses of real people: fits in annotation files, predictions of HMR models, motion capture; one bank of them."""
