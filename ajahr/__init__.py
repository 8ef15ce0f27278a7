"""Recover the 3D body of people with limb loss from photographs. Subpackages load when they are used."""

__version__ = "0.1.0"
