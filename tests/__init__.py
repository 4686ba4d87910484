"""The tests mirror lib and pages; tests.services starts the real servers they run against."""
