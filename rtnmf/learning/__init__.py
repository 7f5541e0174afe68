"""Learning: how recordings become a dictionary. Offline only: nothing that runs in a stream imports this room."""
