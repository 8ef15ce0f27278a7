"""What makes somebody look as if photographed together with the background. One step a file; no torch."""
