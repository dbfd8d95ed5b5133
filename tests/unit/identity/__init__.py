"""Promises of `dataspace.identity`."""
