"""Linkage: which subjects of several regions are the same human being, shown to nobody.

Rules alone: values in, values out. Knows no node, broker, network or clock.
"""
