"""What may leave, for whom and under which rule: decisions, and the sets they come from.

Rules take values and return values; the time is in the request. `store` alone touches
files. Signatures, agreements and consents are verified elsewhere; here they are states.
"""
