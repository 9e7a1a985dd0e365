"""Fuzzing guided by coverage, as long as one likes. The tests' own fuzzing is hypothesis's, and short."""
