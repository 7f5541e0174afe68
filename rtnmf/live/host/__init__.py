"""What runs in the process that sounds."""
