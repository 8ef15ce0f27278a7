"""What people look like: sexes and groups, skin and clothes, the texture banks that hold them. No torch."""
