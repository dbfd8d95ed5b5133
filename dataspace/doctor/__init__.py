"""Looks at parties' directories and says in words what is wrong and what to do. Changes nothing."""
