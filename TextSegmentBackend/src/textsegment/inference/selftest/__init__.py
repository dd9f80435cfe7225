"""Self-test of a model: are its weights what they should be, does it compute, do its masks make sense?"""
