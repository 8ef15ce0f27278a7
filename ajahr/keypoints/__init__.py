"""2D keypoints of people with limb loss: LDPose's 25 points, light-weight students, and angles from them.

Models, losses and decoding need torch; `ajahr.data.ldpose` has the schema, without it.
"""
