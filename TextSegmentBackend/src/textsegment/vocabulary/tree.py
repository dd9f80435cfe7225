def find_terms(words):
    return []
