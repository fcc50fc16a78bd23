"""What saying less would give: CHAIR and recall when mentions or sentences are dropped, and how far an arm lies from that."""
