"""Backups of a node: sealed archives, and putting them back. Rim."""
