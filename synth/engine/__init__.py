"""Ways to run shards: processes of one machine now."""
