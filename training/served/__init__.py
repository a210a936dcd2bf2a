"""A model as it is served: what it writes, loses and invents in the runtime of the service."""
