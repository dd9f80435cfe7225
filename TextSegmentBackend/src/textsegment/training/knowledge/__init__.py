"""Knowledge injection: text encoders that know anatomy, trained on the vocabulary by contrast."""
