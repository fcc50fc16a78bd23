"""Where items are worked on: in this process, or on a Ray cluster."""
