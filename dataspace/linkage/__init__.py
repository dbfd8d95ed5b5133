"""Recognising the same human being in several regions without showing anybody who it is."""
