"""Losses and LightningModules, and what joins the leaf packages' training to the body."""
