"""What the process that sounds shares with its parent."""
