"""A subject answers questions about images: the worker that an engine runs."""
