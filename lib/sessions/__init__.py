"""Sessions on the command line: `python -m lib.sessions`. The store itself is `lib.storage.SessionStore`."""
