"""Which tokens have high row entropy, how near the mean state they lie, and whether hidden states walk at random."""
