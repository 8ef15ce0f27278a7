"""From photographs and videos to limb status, bodies, meshes and pictures."""
