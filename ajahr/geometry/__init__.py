"""Rotations, cameras, crops and Procrustes alignment. Import the modules; nothing is loaded here."""
