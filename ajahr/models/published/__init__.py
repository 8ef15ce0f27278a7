"""Published checkpoints in and out: ViTPose, HMR2.0, TokenHMR, AJAHR.

Each module lists, entry by entry, which of our tensors is which of theirs; reading and writing are both derived from
that list (`mapping`).
"""
