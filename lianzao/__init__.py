"""Lianzao (联造): an integrated MES that links the whole supply chain. See ARCHITECTURE.md for the house."""
