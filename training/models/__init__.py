"""The networks: the fused one that trains, and the explicit step that is exported."""
