"""Copies of pictures and videos in which faces are covered."""
