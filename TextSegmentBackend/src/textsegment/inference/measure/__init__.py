"""Measurements that speak for or against a mask, made where the probabilities are."""
