"""SMPLify: a body from 2D keypoints. Import `ajahr.fitting.smplify`; nothing is loaded here."""
