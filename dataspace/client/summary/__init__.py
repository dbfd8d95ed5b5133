"""A patient's record as people and hospitals' systems read it: labels, and the FHIR summary."""
