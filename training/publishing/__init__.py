"""From a checkpoint to a version in the store: candidate, gates, manifest, model card."""
