"""What may leave, for whom and under which rule: decisions, and the sets they come from.

Rules take values and return values; the time is in the request. `store` alone touches
files. To a decision agreements and consents are states; what they are is in `agreements`,
`standing`, `consents` and `emergencies`, and where they are kept is elsewhere.
"""
