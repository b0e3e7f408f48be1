"""Who serves a request, who is next, and when it is too late: pure decisions."""
