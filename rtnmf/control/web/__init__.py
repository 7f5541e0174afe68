"""The studio in a browser: a server in the process that watches the sound, and a page that it serves."""
