"""The paper's own detector, segmenter, inpainter and checks, behind the Protocols of `synth.photos`.

Each imports its heavy package when it is made and reads its weights from a path the user names.
"""
