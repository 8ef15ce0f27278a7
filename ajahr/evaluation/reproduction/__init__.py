"""From nothing to a table of models: what `scripts/reproduce_small.py` and `scripts/ablation.py` run."""
