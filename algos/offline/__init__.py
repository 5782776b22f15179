"""Offline learners, one file a method."""
