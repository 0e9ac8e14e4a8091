"""Speed and memory, measured against a peer and against the limit, in the same run."""
