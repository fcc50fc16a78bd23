"""A subject, methods and a benchmark: captions that can be resumed and replayed, scores, a table beside the published one."""
