"""Sessions in Redis, which several servers on several machines share."""
