"""The server: settings, admission, rooms, HTTP, metrics and the command line."""
