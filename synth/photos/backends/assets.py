"""What a backend needs and cannot be shipped: shared with `ajahr predict`."""

from ajahr.inference.external import WeightsFile, load_state, pick_device, require

__all__ = ["WeightsFile", "load_state", "pick_device", "require"]
