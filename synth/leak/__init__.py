"""Does anything but the body tell an amputee from their intact twin? A test that can fail."""
