"""The proxy itself: the only asynchronous code."""
