"""Thin commands of `ajahr-synth`: parse, call, print."""
