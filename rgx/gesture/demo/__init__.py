"""A page to play with a trained model: speech in, a film out, spans of it made anew."""
