"""Backbone, BPAC-Net, token head, regressor; adapters for published checkpoints."""
