"""What trains landmark models."""
