"""A text as ids on disk, and as parallel columns cut into windows."""
