"""The on-disk record that `synth` writes and `ajahr` reads. Import the modules; nothing is loaded here."""
