"""What runs in the sounding process, and in the short ones that list devices or listen to a microphone."""
