"""What the sounding process and its parent share; it imports nothing else of `live`."""
