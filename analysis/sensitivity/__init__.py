"""How much KVSmooth's options decide: each is swept round its default, and set against constant rates of the same amount."""
