"""What differs between two contracts, and for whom that breaks something."""
