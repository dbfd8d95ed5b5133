"""Who is who: participants, certificates, the trust list, signed envelopes, freshness.

Rules take values and return values; time and nonces are passed in. `keystore` alone
touches files and randomness. Revocation is not decided here.
"""
