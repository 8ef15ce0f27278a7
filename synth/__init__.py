"""Make data of people with limb loss: record stages run in a recipe."""
