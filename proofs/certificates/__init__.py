"""Certificates: proofs of the obligations that a reader can check, and the program that does."""
