"""The only rooms that import a query engine. The gatekeeper is their only caller."""
