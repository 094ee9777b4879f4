"""What trains face detectors."""
