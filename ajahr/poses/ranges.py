"""Ranges of motion from clinical tables, in degrees; `ajahr.poses.limits` turns them into SMPL's axes."""

from __future__ import annotations

RANGES_DEG: dict[str, dict[str, tuple[float, str]]] = {
    "shoulder": {
        "flexion": (180, "AAOS"),
        "extension": (60, "AAOS; Boone 62"),
        "abduction": (180, "AAOS; Boone 184"),
        "adduction": (45, "Kurz; Magee: 75 in front of the trunk"),
        "horizontal adduction": (135, "Magee"),
        "horizontal abduction": (45, "Magee"),
        "medial rotation": (90, "Magee 70-90; Macedo 94"),
        "lateral rotation": (105, "Boone 104; Macedo 108"),
    },
    "collar": {
        "elevation": (45, "Neumann"),
        "depression": (10, "Neumann"),
        "protraction": (30, "Neumann"),
        "retraction": (30, "Neumann"),
        "rotation": (30, "Neumann: 20-35 backwards when the arm is raised"),
    },
    "elbow": {
        "flexion": (150, "AAOS"),
        "hyperextension": (5, "Soucie: women 20-44, 4.7"),
        "carrying angle": (12, "Magee: 10-15; play of a hinge drawn straight"),
    },
    "forearm": {"pronation": (85, "Macedo 92; Soucie 82"), "supination": (90, "Soucie 90.6; Macedo 96")},
    "wrist": {
        "flexion": (85, "AAOS 80; Macedo 93"),
        "extension": (75, "Boone 75; Macedo 86"),
        "radial deviation": (25, "AAOS 20; Green 25"),
        "ulnar deviation": (40, "Boone 36; Macedo 41"),
    },
    "fingers": {
        "flexion": (100, "Dutton: 85-100 at the knuckles"),
        "extension": (40, "Dutton: 0-40"),
        "spread": (20, "Dutton: 10-40"),
    },
    "hip": {
        "flexion": (135, "AAOS 120; Soucie: women 20-44, 134"),
        "extension": (30, "AAOS"),
        "abduction": (50, "AAOS 45; Boone 46"),
        "adduction": (30, "AAOS"),
        "medial rotation": (50, "AAOS 45; Boone 47"),
        "lateral rotation": (60, "AAOS 45; Boone 47, and what sitting cross-legged takes"),
    },
    "knee": {
        "flexion": (155, "AAOS 135; Boone 143; kneeling on the heels 155"),
        "hyperextension": (5, "Soucie: women 20-44, 1.6; Magee 0-10"),
        "play": (8, "varus and valgus; hip-knee-ankle of rest poses differs by as much"),
        "medial rotation": (30, "Magee: 20-30 with the knee bent"),
        "lateral rotation": (40, "Magee: 30-40 with the knee bent"),
    },
    "ankle": {
        "dorsiflexion": (35, "AAOS 20; 35-45 under body weight (lunge test)"),
        "plantarflexion": (60, "AAOS 50; Soucie: women 20-44, 62"),
        "inversion": (37, "AAOS 35; Boone 37"),
        "eversion": (21, "AAOS 15; Boone 21"),
        "abduction": (20, "play of the hindfoot about the shin"),
    },
    "toes": {"extension": (70, "AAOS"), "flexion": (45, "AAOS")},
    "spine": {  # thoracolumbar, divided below
        "flexion": (90, "AAOS 80; AMA 90"),
        "extension": (30, "AAOS 25; AMA 30"),
        "lateral flexion": (35, "AAOS"),
        "rotation": (45, "AAOS"),
    },
    "cervical": {  # divided between neck and head
        "flexion": (50, "AMA"),
        "extension": (60, "AMA"),
        "lateral flexion": (45, "AAOS; AMA"),
        "rotation": (80, "AMA"),
    },
}
"""Degrees and where they come from: the most mobile published average of healthy adults, a little more where
everyday postures (kneeling on the heels, sitting cross-legged, a deep lunge) prove that people have it.

AAOS: Joint Motion (1965). AMA: Guides to the Evaluation of Permanent Impairment. Both as tabulated with AMA,
Boone and Azen (1979, J Bone Joint Surg 61-A:756), Green and Wolf, and Macedo and Magee (2009) in Norkin and
White, Measurement of Joint Motion, App. A. Soucie et al. 2011, Haemophilia 17:500. Magee, Orthopedic Physical
Assessment. Neumann, Kinesiology of the Musculoskeletal System. Dutton, Orthopaedic Examination. Kurz,
Stretching Scientifically.
"""

SPINE_SHARE: dict[str, tuple[float, float, float]] = {
    "flexion": (0.42, 0.38, 0.30),
    "extension": (0.45, 0.40, 0.30),
    "lateral flexion": (0.36, 0.38, 0.36),
    "rotation": (0.25, 0.35, 0.55),
}
"""Shares of spine1, spine2, spine3: the lumbar part bends, the thoracic part turns (White and Panjabi). They
add up to a little over one: the three need not reach their ends together, and bodies place them
differently."""
CERVICAL_SHARE = 0.55
FOREARM_SHARE = 0.55
"""Share of pronation at the elbow and again at the wrist: SMPL has no radius that turns in between."""
