"""Times as files write them: their spellings, the order of day and month, and time zones."""
